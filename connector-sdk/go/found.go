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

func (f *Found) stillDeleted() Rows {
	last := map[string]map[string]int{}
	var kept Rows
	for at, line := range f.deletes.Chunk().Lines() {
		paths, values := keyOf(line)
		sort := fmt.Sprintf("%q", paths)
		if last[sort] == nil {
			last[sort] = f.lastUpserts(paths)
		}
		upserted, there := last[sort][values]
		if !there || upserted < f.upsertsBefore[at] {
			kept.PushBytes(line)
		}
	}
	return kept
}

// lastUpserts gives where each key was upserted last, after the first delete.
func (f *Found) lastUpserts(paths [][]string) map[string]int {
	last := map[string]int{}
	if len(paths) == 0 {
		return last
	}
	at := f.upsertsBefore[0]
	for _, line := range bytes.SplitAfter(f.Upserts.data[at:], []byte{'\n'}) {
		if values, there := valuesAt(objectOf(line), paths); there {
			last[values] = at
		}
		at += len(line)
	}
	return last
}

type leaf struct {
	path  []string
	value string
}

// keyOf gives the fields of a delete and their values; nothing when it has none or cannot be read.
func keyOf(line []byte) (paths [][]string, values string) {
	leaves := leavesOf(objectOf(line), nil)
	slices.SortFunc(leaves, func(a, b leaf) int { return slices.Compare(a.path, b.path) })
	var texts []string
	for _, leaf := range leaves {
		paths = append(paths, leaf.path)
		texts = append(texts, leaf.value)
	}
	return paths, fmt.Sprintf("%q", texts)
}

func leavesOf(object map[string][]byte, path []string) []leaf {
	var leaves []leaf
	for name, value := range object {
		here := append(slices.Clone(path), name)
		var inner map[string][]byte
		if len(path) < deepestKey {
			inner = objectOf(value)
		}
		if len(inner) > 0 {
			leaves = append(leaves, leavesOf(inner, here)...)
		} else {
			leaves = append(leaves, leaf{here, plain(value)})
		}
	}
	return leaves
}

// valuesAt gives a record's values at these paths; false when one is missing.
func valuesAt(record map[string][]byte, paths [][]string) (string, bool) {
	var texts []string
	for _, path := range paths {
		here := record
		for _, name := range path[:len(path)-1] {
			here = objectOf(here[name])
		}
		value, there := here[path[len(path)-1]]
		if !there {
			return "", false
		}
		texts = append(texts, plain(value))
	}
	return fmt.Sprintf("%q", texts), true
}

// objectOf gives the members of an object, names without their escapes and values as they are written; nothing when the
// text is not an object. Of equal names the last one counts.
func objectOf(text []byte) map[string][]byte {
	scan := scanner{body: text}
	if scan.take("{") != nil {
		return nil
	}
	found := map[string][]byte{}
	for {
		name, err := scan.key()
		if err != nil {
			return nil
		}
		value, err := scan.keep()
		if err != nil {
			return nil
		}
		found[decoded(name)] = value
		mark, err := scan.either(',', '}')
		if err != nil {
			return nil
		}
		if mark == '}' {
			return found
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
	sign := ""
	if text[0] == '-' {
		sign = "-"
	}
	return fmt.Sprintf("%s%se%d", sign, kept, power-len(fraction)+len(digits)-len(kept))
}
