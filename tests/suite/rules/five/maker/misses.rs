//! Forms that miss the right one by a little.

use super::{Maker, Words};

impl Maker {
    pub(super) fn spoil(&mut self, words: &mut Words) {
        if self.percent(5) {
            words.body = self.near_miss(&words.body);
        }
        if self.percent(1) {
            let room = self.room();
            words.room = self.pick(&[None, Some(room)]).unwrap();
        }
        if self.percent(2) {
            let (account, message) = (self.account(), self.message());
            let id = message.map_or(words.id, |message| message.id).to_string();
            let targets = [
                None,
                Some("xyz".into()),
                Some(account.to_string()),
                Some(id.to_uppercase()),
                Some(id.replacen("-7", "-4", 1)),
                Some(id),
                Some(words.id.to_string()),
            ];
            words.target = self.pick(&targets).unwrap();
        }
        if self.percent(2) {
            let account = self.account();
            let slots = [
                None,
                Some("text".into()),
                Some("deleted".into()),
                Some("room".into()),
                Some("name".into()),
                Some("for:".into()),
                Some("for:somebody".into()),
                Some(format!("for:{account},room")),
                Some(format!("room,{account}")),
                Some(format!("room, for:{account}").replace(' ', "")),
                Some("react:👍".into()),
                Some(format!("react::{account}")),
                Some(format!("React:👍:{account}")),
            ];
            words.slot = self.pick(&slots).unwrap();
        }
        if self.percent(1) {
            let (account, operator) = (self.account(), self.operator());
            words.author = self.pick(&[account, operator]).unwrap();
        }
    }

    fn near_miss(&mut self, body: &str) -> String {
        let salted = body.split_at_checked(16).filter(|(salt, _)| salt.is_ascii());
        let Some((salt, json)) = salted else { return String::new() };
        let inside = json.strip_prefix('{').and_then(|json| json.strip_suffix('}')).unwrap_or("\"a\":1");
        let (first, last) = (inside.split(',').next().unwrap(), inside.rsplit(',').next().unwrap());
        let misses = [
            String::new(),
            salt.to_owned(),
            salt[..15].to_owned(),
            json.to_owned(),
            format!("{}A{json}", &salt[..15]),
            format!("{}g{json}", &salt[..15]),
            format!("{salt}0{json}"),
            format!("{}{json}", &salt[..15]),
            format!("{salt}{salt}{json}"),
            format!("{salt} {json}"),
            format!("{salt}{json} "),
            format!("{salt}{json}\n"),
            format!("{salt}{json}\n{{}}"),
            format!("{salt}{{{inside},{inside}}}"),
            format!("{salt}{{{inside},\"more\":1}}"),
            format!("{salt}{{\"more\":1,{inside}}}"),
            format!("{salt}{{{first}}}"),
            format!("{salt}{{{last},{first}}}"),
            format!("{salt}{}", json.replace(':', ": ")),
            format!("{salt}{}", json.replacen("\"value\"", "\"\\u0076alue\"", 1)),
            format!("{salt}{}", json.replacen(":\"", ":\"\\u0041", 1)),
            format!("{salt}{}", json.replacen(":\"", ":\"\\/", 1)),
            format!("{salt}{}", json.replacen(":\"", ":\"\\u000a", 1)),
            format!("{salt}{}", json.replacen(":\"", ":\"\\u001B", 1)),
            format!("{salt}{}", json.replacen(":\"", ":\"\\u001b", 1)),
            format!("{salt}{}", json.replacen(":\"", ":\"\u{7f}\\t", 1)),
            format!("{salt}{}", json.replace("true", "1")),
            format!("{salt}{}", json.replace("true", "True")),
            format!("{salt}{}", json.replace("true", "\"true\"")),
            format!("{salt}{}", json.replacen("[", "[0,", 1)),
            format!("{salt}{}", json.replacen("]", ",1]", 1)),
            format!("{salt}{}", json.replacen("]", ".0]", 1)),
            format!("{salt}[{json}]"),
            format!("{salt}null"),
            format!("{salt}{{}}"),
            format!("{salt}{{\"value\":null}}"),
            format!("é{}{json}", &salt[..14]),
            format!("{}é{json}", &salt[..15]),
        ];
        self.pick(&misses).unwrap()
    }
}
