//! Days, times and moments in words.

/// Year, month and day of a count of days since 1970 (the civil calendar, proleptic).
pub fn date_of(days: i64) -> (i64, i64, i64) {
    // Counted in eras of 400 years from 1 March, so that the leap day comes last.
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// A day in words, as "Tuesday 24 November 2026".
pub fn day_in_words(days: i64) -> String {
    const WEEKDAYS: [&str; 7] =
        ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let (year, month, day) = date_of(days);
    let weekday = WEEKDAYS[days.rem_euclid(7) as usize];
    format!("{weekday} {day} {} {year}", MONTHS[(month - 1) as usize])
}

/// Hours and minutes in the reader's zone.
pub fn clock(at: i64, zone: i32) -> String {
    let minutes = (at.div_euclid(60_000) + i64::from(zone)).rem_euclid(24 * 60);
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

/// A moment as machines read it.
pub fn iso(at: i64) -> String {
    let (days, rest) = (at.div_euclid(86_400_000), at.rem_euclid(86_400_000) / 1000);
    let (year, month, day) = date_of(days);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

/// A moment in the reader's zone: the day and the clock.
pub fn moment(at: i64, zone: i32) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (year, month, day) = date_of((at + i64::from(zone) * 60_000).div_euclid(86_400_000));
    format!("{day} {} {year}, {}", MONTHS[(month - 1) as usize], clock(at, zone))
}
