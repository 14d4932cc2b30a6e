//! Emoji that are offered, by the names that people type between colons. Any other one can be typed or pasted.

/// One emoji: the character, its name, and other words to find it by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Emoji {
    pub emoji: &'static str,
    pub name: &'static str,
    words: &'static str,
}

/// What most reactions are.
pub const USUAL: [&str; 6] = ["👍", "❤️", "😂", "🎉", "👀", "✅"];

/// A line each: emoji, name, other words. One text, since a table of pointers takes more of the client than the words.
const TABLE: &str = "\
👍 thumbs_up +1 yes ok agree like good
👎 thumbs_down -1 no disagree dislike bad
❤️ heart love red thanks
😂 joy laugh tears funny lol
🎉 tada party hooray celebrate release
👀 eyes look seen watching review
✅ check done yes tick approved
🙏 pray thanks please hope
🚀 rocket ship launch deploy
🔥 fire hot lit great
💯 hundred 100 agree perfect
👏 clap applause bravo well done
🙌 raised_hands hooray praise
💪 muscle strong arm
👋 wave hello hi bye
🤝 handshake deal agree
👌 ok_hand perfect fine
✌️ victory peace two
🤞 fingers_crossed luck hope
👉 point_right this here
👆 point_up above this
☝️ index_up one point
🫡 salute yes sir
🤷 shrug dunno whatever
🤦 facepalm oh no
😀 grinning smile happy
😃 smiley happy open
😄 smile happy laugh
😁 grin teeth happy
😆 laughing haha
😅 sweat_smile phew relief
🤣 rofl rolling laugh floor
🙂 slight_smile ok fine
🙃 upside_down irony silly
😉 wink joke
😊 blush happy shy
😇 innocent angel halo
🥰 smiling_hearts love adore
😍 heart_eyes love wow
😘 kiss love
😋 yum tasty food
😎 sunglasses cool
🤓 nerd glasses smart
🧐 monocle inspect curious
🤔 thinking hmm wonder
🤨 raised_eyebrow doubt really
😐 neutral meh
😑 expressionless blank
😶 no_mouth silent
🙄 eye_roll whatever
😏 smirk sly
😬 grimace awkward teeth
😌 relieved calm
😔 pensive sad
😴 sleeping tired zzz night
🥱 yawn tired bored
😷 mask sick ill
🤒 thermometer sick ill fever
🤯 mind_blown exploding wow
🥳 partying birthday celebrate
😕 confused unsure
🙁 frown sad
😮 open_mouth wow surprised
😲 astonished shock wow
😳 flushed embarrassed
🥺 pleading please puppy
😢 cry sad tear
😭 sob crying loud
😱 scream fear shock
😤 huff triumph angry
😡 rage angry mad
🤬 swearing angry symbols
💀 skull dead lol
👻 ghost boo halloween
🤖 robot bot machine
💩 poop bad
🙈 see_no_evil monkey shy
🫶 heart_hands love
🧡 orange_heart love
💛 yellow_heart love
💚 green_heart love
💙 blue_heart love
💜 purple_heart love
🖤 black_heart love
💔 broken_heart sad
✨ sparkles new shiny clean
⭐ star favourite favorite
🌟 glowing_star great
⚡ zap fast lightning
💥 boom bang crash
💡 bulb idea light
💬 speech comment talk
💭 thought think
❓ question what ask
❗ exclamation important
⚠️ warning careful attention
🚨 siren alarm incident urgent
🛑 stop halt
⛔ no_entry forbidden
🚫 prohibited no
❌ cross no wrong failed
➕ plus add more
➖ minus less
🟢 green_circle go ok up
🟡 yellow_circle wait degraded
🔴 red_circle stop down
🔵 blue_circle info
🏁 finish flag done race
🚩 red_flag concern
🏆 trophy win prize
🥇 gold_medal first win
🎯 dart target goal exactly
🎁 gift present
🎂 birthday cake
🍰 cake sweet
🍕 pizza lunch food
🍔 burger lunch food
🍎 apple fruit
🍌 banana fruit
☕ coffee break tea
🍵 tea cup
🍺 beer drink friday
🍻 cheers beers drink
🥂 toast champagne celebrate
🍷 wine drink
🐛 bug defect insect
🐢 turtle slow
🐌 snail slow
🦀 crab rust
🦫 beaver stream
🦦 otter stream
🐙 octopus
🐧 penguin linux
🐘 elephant big memory
🐳 whale docker container
🐶 dog puppy
🐱 cat kitten
🦊 fox
🐻 bear
🦄 unicorn magic
🐝 bee busy
🌱 seedling grow new
🌳 tree nature
🌈 rainbow pride
☀️ sun weather morning
🌙 moon night
❄️ snow cold winter freeze
🌧️ rain weather
🌊 water_wave sea beck
🌍 earth world
🏠 house home remote
🏢 office work building
🏖️ beach holiday vacation
✈️ plane travel flight
🚗 car drive
🚲 bike cycle
🚂 train travel
⏰ alarm_clock time wake
⏳ hourglass wait time
📅 calendar date meeting
📌 pin pushpin important
📎 paperclip attach
📝 memo note write
📖 book read docs
📚 books docs library
📈 chart_up growth metrics
📉 chart_down loss metrics
📊 bar_chart metrics report
📦 package release box
📣 megaphone announce
🔔 bell notify
🔕 no_bell mute quiet
🔒 lock security private
🔓 unlock open
🔑 key password access
🔧 wrench fix tool
🔨 hammer build tool
🛠️ tools fix build maintenance
⚙️ gear settings config
🔗 link url chain
🔍 search find magnifier
🧪 test_tube test experiment
🧹 broom clean refactor
🗑️ trash delete remove
💻 laptop computer code
🖥️ desktop computer
📱 phone mobile
💾 floppy save disk
🧵 thread conversation
🎵 music note song
🎨 art design palette
🎬 clapper film demo
📷 camera photo
🎮 game play
⚽ football soccer ball
🏃 running run late
💰 money cost budget
🩹 bandage hotfix patch
🧊 ice freeze cold
🪵 log wood
♻️ recycle reuse refactor
🔁 repeat retry again
⏪ rewind revert back
⏩ fast_forward skip
🆕 new
🆗 ok
🆘 sos help
";

/// All that are offered.
pub fn all() -> impl Iterator<Item = Emoji> {
    TABLE.lines().filter_map(|line| {
        let (emoji, rest) = line.split_once(' ')?;
        let (name, words) = rest.split_once(' ').unwrap_or((rest, ""));
        Some(Emoji { emoji, name, words })
    })
}

/// How an emoji is called; `None` for one that is not offered.
pub fn name_of(emoji: &str) -> Option<&'static str> {
    all().find(|known| known.emoji == emoji).map(|known| known.name)
}

/// Those whose name or words begin with each word of a query, those found by name first.
pub fn find(query: &str) -> Vec<Emoji> {
    let query = query.trim().trim_matches(':').to_lowercase();
    let words: Vec<_> = query.split([' ', '_']).filter(|word| !word.is_empty()).collect();
    let begins = |texts: &[&str]| {
        words.iter().all(|word| {
            texts.iter().flat_map(|text| text.split([' ', '_'])).any(|part| part.starts_with(*word))
        })
    };
    let (mut named, mut others) = (Vec::new(), Vec::new());
    for emoji in all() {
        if begins(&[emoji.name]) {
            named.push(emoji);
        } else if begins(&[emoji.name, emoji.words]) {
            others.push(emoji);
        }
    }
    named.append(&mut others);
    named
}
