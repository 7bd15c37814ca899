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
	var key []byte
	for line := range bytes.SplitAfterSeq(f.Upserts.data[at:], []byte{'\n'}) {
		var there bool
		if key, there = valuesAt(key[:0], line, kind.paths); there {
			if _, wanted := kind.last[string(key)]; wanted {
				kind.last[string(key)] = at
			}
		}
		at += len(line)
	}
}

// keyOf gives the fields of a delete and their values; nothing when it has none or cannot be read.
func keyOf(line []byte) (paths [][]string, key string) {
	var values []byte
	addLeaves(membersOf(line), nil, &paths, &values)
	return paths, string(values)
}

func addLeaves(object []member, path []string, paths *[][]string, values *[]byte) {
	for _, one := range object {
		here := append(slices.Clone(path), one.name)
		var inner []member
		if len(path) < deepestKey {
			inner = membersOf(one.value)
		}
		if len(inner) > 0 {
			addLeaves(inner, here, paths, values)
		} else {
			*paths = append(*paths, here)
			*values = appendPlain(*values, one.value)
		}
	}
}

// valuesAt appends a record's values at these paths; false when one is missing.
func valuesAt(key, record []byte, paths [][]string) (_ []byte, there bool) {
	for _, path := range paths {
		here := record
		for _, name := range path {
			if here, there = memberOf(here, name); !there {
				return key, false
			}
		}
		key = appendPlain(key, here)
	}
	return key, true
}

// member is a member of an object: the name without its escapes and the value as it is written.
type member struct {
	name  string
	value []byte
}

// membersOf gives the members of an object; nothing when the text is not an object. Of equal names the first one counts.
func membersOf(text []byte) []member {
	var found []member
	isWhole := eachMember(text, func(written, value []byte) bool {
		one := member{decoded(written), value}
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
	eachMember(text, func(written, one []byte) bool {
		there = keyIs(written, name)
		value = one
		return there
	})
	return value, there
}

// eachMember calls look with each member of an object, the name in its quotes, until it says that this is enough. False
// when the text is not an object.
func eachMember(text []byte, look func(written, value []byte) bool) bool {
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
		if look(name, value) || mark == '}' {
			return true
		}
		if _, err := scan.peek(); err != nil {
			return false
		}
	}
}

// appendPlain appends a value so that equal JSON values are equal texts, with its length. Arrays are compared as they
// are written.
func appendPlain(key, value []byte) []byte {
	plain := value
	switch c := value[0]; {
	case c == '"' && bytes.IndexByte(value, '\\') >= 0:
		plain = []byte(`"` + decoded(value) + `"`)
	case c == '-', isDigit(c) && !isShortInteger(value):
		plain = []byte(decimal(string(value)))
	case c == '{', c == '[':
		plain = compact(value)
	}
	key = append(strconv.AppendInt(key, int64(len(plain)), 10), ':')
	return append(key, plain...)
}

// decoded gives a string without its quotes and its escapes. Half a surrogate pair is not a character, and such a string
// keeps its escapes.
func decoded(written []byte) string {
	var text string
	content := string(written[1 : len(written)-1])
	if !strings.Contains(content, `\`) {
		return content
	}
	if json.Unmarshal(written, &text) != nil || strings.ContainsRune(text, utf8.RuneError) {
		return content
	}
	return text
}

// isShortInteger is true for what decimal would give as it is.
func isShortInteger(number []byte) bool {
	return !slices.ContainsFunc(number, func(c byte) bool { return !isDigit(c) }) && len(number) <= plainDigits
}

// decimal spells a number by its digits, since 7, 7.0 and 70e-1 are equal, and large integers differ in their last digit.
func decimal(text string) string {
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
