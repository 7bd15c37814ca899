//! Repeatable random draws (SplitMix64), and the ways in which people write the same thing differently.
//! The generator: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.

pub struct Draw(u64);

impl Draw {
    pub fn new(seed: u64) -> Draw {
        Draw(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 up to, not including, `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub fn between(&mut self, from: i64, to: i64) -> i64 {
        from + (self.next() % (to - from) as u64) as i64
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// The same address as somebody might type it.
    pub fn email(&mut self, email: &str) -> String {
        match self.below(5) {
            0 => email.to_uppercase(),
            1 => {
                let mut letters = email.chars();
                letters
                    .next()
                    .map(|first| first.to_uppercase().chain(letters).collect())
                    .unwrap_or_default()
            }
            _ => email.to_string(),
        }
    }

    /// The same number as somebody might write it; without a country code only where the hub's region is Poland.
    pub fn phone(&mut self, country: &str, national: &str) -> String {
        let (a, rest) = national.split_at(3);
        let (b, c) = rest.split_at(3);
        let code = match country {
            "PL" => "48",
            "GB" => "44",
            "DE" => "49",
            _ => "1",
        };
        match (country, self.below(5)) {
            ("PL", 0) => national.to_string(),
            ("PL", 1) => format!("{a}-{b}-{c}"),
            ("PL", 2) => format!("{a} {b} {c}"),
            ("US", 0 | 1) => format!("+1 ({a}) {b}-{c}"),
            (_, 0 | 3) => format!("00{code} {a} {b}{c}"),
            (_, 1) => format!("+{code} {a}-{b}{c}"),
            (_, 2) => format!("+{code} {a} {b} {c}"),
            _ => format!("+{code}{national}"),
        }
    }
}

/// A mobile number, in national form without a leading zero, that no other `serial` has.
pub(super) fn national_number(country: &str, serial: usize) -> String {
    match country {
        "PL" => format!("60{serial:07}"),
        "GB" => format!("7400{serial:06}"),
        "DE" => format!("1512{serial:07}"),
        _ => format!("212{:03}{:04}", 200 + serial / 10_000, serial % 10_000),
    }
}

/// A name as the part of an address: lower case, without its accents.
pub(super) fn ascii(name: &str) -> String {
    let lower = name.to_lowercase();
    let plain = lower.chars().map(|letter| match letter {
        'ą' => 'a',
        'ć' => 'c',
        'ę' | 'é' => 'e',
        'ł' => 'l',
        'ń' => 'n',
        'ó' | 'ö' | 'ø' => 'o',
        'ś' | 'ß' => 's',
        'ż' | 'ź' => 'z',
        'ü' => 'u',
        'ä' => 'a',
        'í' => 'i',
        letter => letter,
    });
    plain.filter(char::is_ascii_alphabetic).collect()
}
