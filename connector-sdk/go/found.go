package onefold

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// deepestKey is how many objects a key may lie in; what lies deeper is compared as it is written.
const deepestKey = 8

// plainDigits is how many digits an integer may have to be compared by all of them.
const plainDigits = 40

// Found has the rows of the pages read so far. Add records to Upserts, and call Delete for each deleted record, in the
// order in which the vendor reports them. Within one batch upserts count before deletes, so the delete of a record that
// was added after it is dropped: deleted, then created again.
type Found struct {
	Upserts Rows
	deletes Rows
	// upsertsBefore is for each delete where Upserts ended when it came, in bytes.
	upsertsBefore []int
}

// Count is the number of rows.
func (f *Found) Count() int {
	return f.Upserts.Count() + f.deletes.Count()
}

// Bytes is the size of the rows with their line ends.
func (f *Found) Bytes() int {
	return f.Upserts.Bytes() + f.deletes.Bytes()
}

// Delete adds a deleted record: an object with its primary key fields only, printed by [JSON]. What cannot be printed is
// permanent, with the code sdk.record.
func (f *Found) Delete(key any) error {
	if err := f.deletes.Push(key); err != nil {
		return err
	}
	f.upsertsBefore = append(f.upsertsBefore, f.Upserts.Bytes())
	return nil
}

// DeleteBytes does the same with JSON on one line, for a key that has to stay as the vendor wrote it.
func (f *Found) DeleteBytes(line []byte) {
	f.deletes.PushBytes(line)
	f.upsertsBefore = append(f.upsertsBefore, f.Upserts.Bytes())
}

// Finish gives the batch, for connectors that read without [ReadPages]. Cursor is where the next batch begins; done says
// that there is nothing more to read for now.
func (f *Found) Finish(cursor []byte, done bool) Batch {
	batch := Batch{Upserts: f.Upserts.Chunk(), Cursor: cursor, Done: done}
	deletes := f.deletes
	if !f.isSettled() {
		deletes = f.stillDeleted()
	}
	if deletes.Count() > 0 {
		batch.Deletes = Ptr(deletes.Chunk())
	}
	return batch
}

// isSettled is true when no record came after a delete: then no record has to be parsed.
func (f *Found) isSettled() bool {
	return len(f.upsertsBefore) == 0 || f.upsertsBefore[0] >= f.Upserts.Bytes()
}

// fields are the fields that deletes have as their key, and where each key was upserted last, in bytes.
type fields struct {
	paths [][]string
	last  map[string]int
}

func (f *Found) stillDeleted() Rows {
	lines := f.deletes.Chunk().Lines()
	kinds, keys := make([]*fields, len(lines)), make([]string, len(lines))
	known := map[string]*fields{}
	for at, line := range lines {
		paths, key := keyOf(line)
		kind := fmt.Sprintf("%q", paths)
		if known[kind] == nil {
			known[kind] = &fields{paths, map[string]int{}}
		}
		known[kind].last[key] = -1
		kinds[at], keys[at] = known[kind], key
	}
	for _, kind := range known {
		f.findUpserts(kind)
	}
	var kept Rows
	for at, line := range lines {
		if kinds[at].last[keys[at]] < f.upsertsBefore[at] {
			kept.PushBytes(line)
		}
	}
	return kept
}

// findUpserts notes where each of these keys was upserted last, after the first delete.
func (f *Found) findUpserts(kind *fields) {
	if len(kind.paths) == 0 {
		return
	}
	at := f.upsertsBefore[0]
	for _, line := range bytes.SplitAfter(f.Upserts.data[at:], []byte{'\n'}) {
		if key, there := valuesAt(line, kind.paths); there {
			if _, wanted := kind.last[key]; wanted {
				kind.last[key] = at
			}
		}
		at += len(line)
	}
}

// keyOf gives the fields of a delete and their values; nothing when it has none or cannot be read.
func keyOf(line []byte) (paths [][]string, key string) {
	addLeaves(membersOf(line), nil, &paths, &key)
	return paths, key
}

func addLeaves(object []member, path []string, paths *[][]string, key *string) {
	for _, one := range object {
		here := append(slices.Clone(path), one.name)
		var inner []member
		if len(path) < deepestKey {
			inner = membersOf(one.value)
		}
		if len(inner) > 0 {
			addLeaves(inner, here, paths, key)
		} else {
			*paths = append(*paths, here)
			*key += measured(plain(one.value))
		}
	}
}

// valuesAt gives a record's values at these paths as one text; false when one is missing.
func valuesAt(record []byte, paths [][]string) (key string, there bool) {
	for _, path := range paths {
		here := record
		for _, name := range path {
			if here, there = memberOf(here, name); !there {
				return "", false
			}
		}
		key += measured(plain(here))
	}
	return key, true
}

// measured puts the length of a text before it, so that texts behind each other are told apart.
func measured(text string) string {
	return strconv.Itoa(len(text)) + ":" + text
}

// member is a member of an object: the name without its escapes and the value as it is written.
type member struct {
	name  string
	value []byte
}

// membersOf gives the members of an object; nothing when the text is not an object. Of equal names the first one counts.
func membersOf(text []byte) []member {
	var found []member
	isWhole := eachMember(text, func(one member) bool {
		same := func(other member) bool { return other.name == one.name }
		if !slices.ContainsFunc(found, same) {
			found = append(found, one)
		}
		return false
	})
	if !isWhole {
		return nil
	}
	return found
}

// memberOf gives the value of a member; false when the object has none of this name or is not an object.
func memberOf(text []byte, name string) (value []byte, there bool) {
	eachMember(text, func(one member) bool {
		there = one.name == name
		value = one.value
		return there
	})
	return value, there
}

// eachMember calls look with each member of an object until it says that this is enough. False when the text is not an
// object.
func eachMember(text []byte, look func(member) bool) bool {
	scan := scanner{body: text}
	if scan.take("{") != nil {
		return false
	}
	if first, err := scan.peek(); err != nil || first == '}' {
		return err == nil
	}
	for {
		name, err := scan.key()
		if err != nil {
			return false
		}
		value, err := scan.keep()
		if err != nil {
			return false
		}
		mark, err := scan.either(',', '}')
		if err != nil {
			return false
		}
		if look(member{decoded(name), value}) || mark == '}' {
			return true
		}
		if _, err := scan.peek(); err != nil {
			return false
		}
	}
}

// plain gives a value so that equal JSON values are equal texts. Arrays are compared as they are written.
func plain(value []byte) string {
	switch c := value[0]; {
	case c == '"':
		return decoded(value)
	case c == '-' || isDigit(c):
		return decimal(string(value))
	}
	return string(compact(value))
}

// decoded gives a string without its escapes, but with its first quote. Half a surrogate pair is not a character, and
// such a string stays as it is.
func decoded(written []byte) string {
	var text string
	if bytes.IndexByte(written, '\\') < 0 {
		return string(written[:len(written)-1])
	}
	if json.Unmarshal(written, &text) != nil || strings.ContainsRune(text, utf8.RuneError) {
		return string(written)
	}
	return `"` + text
}

// isShortInteger is true for what decimal would give as it is.
func isShortInteger(text string) bool {
	isDigits := !strings.ContainsFunc(text, func(c rune) bool { return c < '0' || c > '9' })
	return isDigits && len(text) <= plainDigits
}

// decimal spells a number by its digits, since 7, 7.0 and 70e-1 are equal, and large integers differ in their last digit.
func decimal(text string) string {
	if isShortInteger(text) {
		return text
	}
	mantissa, exponent, _ := strings.Cut(strings.ToLower(text), "e")
	whole, fraction, _ := strings.Cut(strings.TrimPrefix(mantissa, "-"), ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	if digits == "" {
		return "0"
	}
	power, err := strconv.Atoi(exponent)
	if err != nil && exponent != "" || len(exponent) > 9 {
		return text
	}
	kept := strings.TrimRight(digits, "0")
	power += len(digits) - len(kept) - len(fraction)
	sign := ""
	if text[0] == '-' {
		sign = "-"
	}
	if power >= 0 && len(kept)+power <= plainDigits {
		return sign + kept + strings.Repeat("0", power)
	}
	return sign + kept + "e" + strconv.Itoa(power)
}
