//! Names of the made-up people: how names are spread in a few countries. The most frequent ones are public knowledge (the
//! statistical offices and civil registers of each country publish their order); the long tail of surnames is put
//! together from parts that surnames there are made of.

use super::chance::Chance;

/// The names of one country, the most frequent first.
pub struct Country {
    given_names: &'static str,
    surnames: &'static str,
    /// Each stem with each ending is a rarer surname.
    stems: &'static str,
    endings: &'static str,
}

/// How many of a hundred people have one of the frequent surnames.
const FREQUENT: u64 = 35;

impl Country {
    pub fn given_name(&self, chance: &mut Chance) -> String {
        frequent(self.given_names, chance)
    }

    pub fn surname(&self, chance: &mut Chance) -> String {
        match chance.percent(FREQUENT) {
            true => frequent(self.surnames, chance),
            false => format!(
                "{}{}",
                frequent(self.stems, chance),
                frequent(self.endings, chance)
            ),
        }
    }
}

/// One of the words, each about as frequent as one divided by its place (Zipf's law, from the fifth place on).
fn frequent(words: &str, chance: &mut Chance) -> String {
    let words: Vec<&str> = words.split_whitespace().collect();
    let weight = |at: usize| 1_000 / (at as u64 + 5);
    let mut left = chance.below((0..words.len()).map(weight).sum());
    for (at, word) in words.iter().enumerate() {
        if left < weight(at) {
            return (*word).to_owned();
        }
        left -= weight(at);
    }
    String::new()
}

pub const POLAND: Country = Country {
    given_names: "Anna Piotr Maria Krzysztof Katarzyna Andrzej Małgorzata Tomasz Agnieszka Jan Barbara Paweł Ewa Michał \
        Krystyna Marcin Magdalena Jakub Elżbieta Adam Joanna Marek Aleksandra Łukasz Zofia Grzegorz Monika Mateusz \
        Teresa Wojciech Natalia Mariusz Julia Dariusz Karolina Zbigniew Marta Jerzy Dorota Maciej Beata Rafał Jadwiga \
        Robert Janina Kamil Alicja Jacek Jolanta Szymon Iwona Dawid Grażyna Kacper Paulina Tadeusz Justyna Artur \
        Wiktoria Ryszard Emilia Jarosław Renata Henryk Hanna Sławomir Danuta Józef Urszula Kazimierz Helena Antoni",
    surnames: "Nowak Kowalska Kowalski Wiśniewska Wiśniewski Wójcik Kowalczyk Kamińska Kamiński Lewandowska Lewandowski \
        Zielińska Zieliński Szymańska Szymański Dąbrowska Dąbrowski Woźniak Kozłowska Kozłowski Mazur Jankowska \
        Jankowski Kwiatkowska Wojciechowski Krawczyk Kaczmarek Piotrowska Grabowski Pawłowska Michalski Król Wieczorek \
        Jabłońska Wróbel Nowakowski Majewska Stępień Malinowski Dudek Adamczyk Pawlak Górska Sikora Walczak Baran",
    stems: "Bor Lip Dęb Mal Star Now Wysoc Kal Sob Gaj Rud Brzez Jawor Wierzb Olsz Top Kras Mar Bart Mich Stan Wal Gór \
        Les Pol Sad Ogr Mły Kruk Sok Zaj Jel Żur Grab Buk Klim Bogd Rad Mir Lud",
    endings: "owski owska iński ińska icki icka ak iak czyk ewicz owicz ek ecki ecka arz",
};

pub const GERMANY: Country = Country {
    given_names: "Maria Peter Ursula Michael Monika Thomas Petra Andreas Elisabeth Wolfgang Sabine Klaus Renate Jürgen \
        Helga Günter Karin Stefan Brigitte Christian Ingrid Uwe Erika Werner Andrea Horst Gisela Frank Claudia Dieter \
        Susanne Manfred Gabriele Gerhard Christa Hans Christine Bernd Hildegard Torsten Anna Matthias Birgit Helmut \
        Barbara Walter Gerda Heinz Martina Martin Anja Jörg Ute Rolf Nicole Sven Katharina Alexander Heike Jan \
        Jutta Rainer Marion Karl Stefanie Björn Melanie Tobias Julia Sebastian Käthe Jannik Sophie Lukas Leonie Jonas",
    surnames: "Müller Schmidt Schneider Fischer Weber Meyer Wagner Becker Schulz Hoffmann Schäfer Koch Bauer Richter \
        Klein Wolf Schröder Neumann Schwarz Zimmermann Braun Krüger Hofmann Hartmann Lange Schmitt Werner Schmitz \
        Krause Meier Lehmann Schmid Schulze Maier Köhler Herrmann König Walter Mayer Huber Kaiser Fuchs Peters Lang \
        Scholz Möller Weiß Jung Hahn Schubert Vogel Friedrich Keller Günther Frank Berger Winkler Roth Beck Lorenz",
    stems: "Stein Berg Hof Wald Bach Eich Linden Rosen Winter Sommer Brand Kirch Feld Acker Holz Sand Hirsch Reh Gold \
        Silber Eisen Kupfer Mühl Grün Weiden Buch Birk Erlen Kreuz Burg Stadt Dorf Haupt Ober Unter Nieder Alt Neu",
    endings: "mann er bauer meier hofer ner ke ing feld müller ler hardt huber",
};

pub const ENGLAND: Country = Country {
    given_names: "John Mary David Margaret Michael Susan Paul Sarah James Karen Peter Elizabeth Andrew Jane Robert \
        Patricia Stephen Helen William Jacqueline Mark Julie Richard Christine Thomas Emma Christopher Linda Daniel \
        Claire George Barbara Matthew Jennifer Anthony Amanda Joseph Laura Kevin Rebecca Jack Charlotte Ian Dorothy \
        Simon Joan Alan Nicola Brian Alison Gary Rachel Edward Victoria Samuel Hannah Benjamin Lucy Graham Emily Philip \
        Jessica Colin Olivia Neil Sophie Harry Amy Joshua Chloe Charles Gemma Martin Lisa Adam Katie Luke Louise",
    surnames: "Smith Jones Williams Taylor Brown Davies Evans Wilson Thomas Johnson Roberts Robinson Thompson Wright \
        Walker White Edwards Hughes Green Hall Lewis Harris Clarke Patel Jackson Wood Turner Martin Cooper Hill Ward \
        Morris Moore Clark Lee King Baker Harrison Morgan Allen James Scott Phillips Watson Davis Parker Price Bennett \
        Young Griffiths Mitchell Kelly Cook Carter Richardson Bailey Collins Bell Shaw Murphy Miller Cox Khan",
    stems: "Ash Black Brad Brook Burn Chest Clay Cran Den East Farn Glen Green Hal Hart Hay Hol Kirk Lang Marl Mid Mor \
        Nor Oak Pem Raven Red Ridge Rock Sand Shel Stan Stoke Thorn Wal West Whit Wind Wood York",
    endings: "ton ley ford son ham field well worth wood den bury man by croft",
};

