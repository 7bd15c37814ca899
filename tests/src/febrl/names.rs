//! Names of the made-up people: how names are spread in a few countries. The most frequent ones are public knowledge (the
//! statistical offices and civil registers of each country publish their order); the long tail of surnames is put
//! together from parts that surnames there are made of.

use crate::population::Draw;

/// The names of one country, the most frequent first.
pub struct Country {
    given_names: &'static str,
    surnames: &'static str,
    /// Each stem with each ending is a rarer surname.
    stems: &'static str,
    endings: &'static str,
}

/// How many of a hundred people have one of the frequent surnames.
const FREQUENT: usize = 35;

impl Country {
    pub fn given_name(&self, draw: &mut Draw) -> String {
        frequent(self.given_names, draw)
    }

    pub fn surname(&self, draw: &mut Draw) -> String {
        match draw.chance(FREQUENT) {
            true => frequent(self.surnames, draw),
            false => format!(
                "{}{}",
                frequent(self.stems, draw),
                frequent(self.endings, draw)
            ),
        }
    }
}

/// One of the words, each about as frequent as one divided by its place (Zipf's law, from the fifth place on).
fn frequent(words: &str, draw: &mut Draw) -> String {
    let words: Vec<&str> = words.split_whitespace().collect();
    let weight = |at: usize| 1_000 / (at + 5);
    let mut left = draw.below((0..words.len()).map(weight).sum());
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

pub const CZECHIA: Country = Country {
    given_names: "Jiří Jan Petr Jana Marie Josef Pavel Martin Eva Tomáš Jaroslav Hana Anna Miroslav Zdeněk Lenka Kateřina \
        Václav Michal František Věra Lucie Alena Jakub Milan Petra Karel Lukáš Veronika Jaroslava Tereza David Ondřej \
        Martina Vladimír Jitka Marek Ludmila Helena Michaela Zdeňka Ivana Stanislav Monika Roman Zuzana Aleš Markéta",
    surnames: "Novák Nováková Svoboda Svobodová Novotný Novotná Dvořák Dvořáková Černý Černá Procházka Procházková Kučera \
        Kučerová Veselý Veselá Horák Horáková Krejčí Hájek Hájková Marek Pokorný Pokorná Pospíšil Král Růžička Jelínek \
        Beneš Benešová Fiala Sedláček Doležal Zeman Zemanová Kolář Navrátil Čermák Vaněk Urban Blažek Kříž",
    stems: "Hor Dol Jan Kop Mar Ned Pol Ryb Sed Tich Vlč Zdr Bed Cih Dub Hrab Kal Lip Mach Nov Pět Říh Šim Vond Žiž",
    endings: "áček ek ák áková ný ná ka ková ičková čil",
};

pub const SPAIN: Country = Country {
    given_names: "Antonio María Manuel Carmen José Ana Francisco Isabel David Laura Juan Cristina Javier Marta Daniel Dolores \
        Carlos Lucía Jesús Pilar Alejandro Elena Miguel Raquel Rafael Mercedes Pedro Rosa Pablo Teresa Ángel Paula \
        Sergio Beatriz Fernando Nuria Jorge Silvia Luis Julia Alberto Rocío Álvaro Inés Diego Alicia Adrián Sara",
    surnames: "García Rodríguez González Fernández López Martínez Sánchez Pérez Gómez Martín Jiménez Hernández Ruiz Díaz \
        Moreno Muñoz Álvarez Romero Gutiérrez Alonso Navarro Torres Domínguez Ramos Vázquez Ramírez Gil Serrano Blanco \
        Molina Morales Suárez Ortega Delgado Castro Ortiz Rubio Marín Sanz Núñez Iglesias Medina Garrido Cortés",
    stems: "Val Mont Riv Cast Fuent Camp Herr Sal Vill Roj Agu Arr Barr Cab Cerv Esc Guerr Lor Mend Ped Quint Rosal Tej",
    endings: "ero era ano illa edo osa ales ín ón ez ada",
};

pub const FRANCE: Country = Country {
    given_names: "Marie Jean Pierre Nathalie Michel Isabelle André Sylvie Philippe Catherine Louis Françoise Nicolas Martine \
        Christophe Christine Patrick Monique Laurent Valérie Christian Sandrine Julien Sophie Frédéric Céline Sébastien \
        Hélène David Aurélie Stéphane Julie Éric Camille Thomas Chloé Alain Jacqueline Bernard Anne Daniel Véronique",
    surnames: "Martin Bernard Thomas Petit Robert Richard Durand Dubois Moreau Laurent Simon Michel Lefebvre Leroy Roux David \
        Bertrand Morel Fournier Girard Bonnet Dupont Lambert Fontaine Rousseau Vincent Muller Lefèvre Faure André \
        Mercier Blanc Guérin Boyer Garnier Chevalier François Legrand Gauthier Garcia Perrin Robin Clément Morin",
    stems: "Beau Marc Bois Font Mont Cler Ger Laf Roch Vill Charp Gren Cour Bert Del Fav Gall Jac Lam Marg Per Reyn Tess",
    endings: "ier eau et elle ard in ot ault ois",
};

pub const UKRAINE: Country = Country {
    given_names: "Олександр Наталія Володимир Тетяна Сергій Олена Микола Ірина Андрій Людмила Іван Оксана Віктор Світлана \
        Юрій Марія Михайло Галина Олексій Ольга Василь Юлія Дмитро Катерина Петро Вікторія Максим Анна Ігор Надія \
        Роман Любов Євген Віра Тарас Анастасія Богдан Лариса Павло Ганна Ярослав Христина Степан Софія Руслан Алла",
    surnames: "Мельник Шевченко Коваленко Бондаренко Бойко Ткаченко Кравченко Ковальчук Коваль Олійник Шевчук Поліщук Ткачук \
        Савченко Бондар Марченко Руденко Мороз Лисенко Петренко Клименко Кравчук Павленко Савчук Кузьменко Пономаренко \
        Гончаренко Василенко Харченко Гаврилюк Мазур Хоменко Костюк Литвиненко Панченко Романюк Козак Щербак",
    stems: "Гриц Дан Кост Лев Мак Назар Остап Радч Сидор Тим Федор Хом Черн Яс Бор Вас Гонч Дем Жук Заб Кириль Лук Онищ",
    endings: "енко чук ук юк ович ський ець ишин",
};

pub const RUSSIA: Country = Country {
    given_names: "Александр Елена Сергей Татьяна Владимир Наталья Андрей Ольга Алексей Ирина Николай Светлана Дмитрий Анна \
        Иван Мария Михаил Галина Евгений Людмила Юрий Екатерина Виктор Юлия Игорь Анастасия Павел Валентина Анатолий \
        Надежда Максим Нина Роман Любовь Олег Марина Денис Дарья Василий Ксения Пётр Вера Илья Лариса Артём Полина",
    surnames: "Иванов Иванова Смирнов Смирнова Кузнецов Кузнецова Попов Попова Васильев Васильева Петров Петрова Соколов \
        Соколова Михайлов Новиков Новикова Фёдоров Морозов Морозова Волков Волкова Алексеев Лебедев Лебедева Семёнов \
        Егоров Павлова Козлов Козлова Степанов Николаев Орлова Андреев Макаров Никитина Захаров Зайцев Зайцева",
    stems: "Бел Воро Гус Дом Ерш Жар Зим Кал Лап Мед Нос Окун Пушк Рыж Сав Тур Ус Фом Хар Цвет Чиж Шиш Щук Юд Яковл",
    endings: "ов ова ин ина ев ева ский ская ников",
};
