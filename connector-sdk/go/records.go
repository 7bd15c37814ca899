package onefold

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Row is one record as the vendor wrote it, on one line.
type Row struct {
	Bytes []byte
}

// Raw gives a field as it was written, such as 1.10; false when there is no such field or the record is no object.
func (r Row) Raw(name string) ([]byte, bool) {
	scan := scanner{body: r.Bytes}
	if scan.take("{") != nil {
		return nil, false
	}
	for {
		key, err := scan.key()
		if err != nil {
			return nil, false
		}
		value, err := scan.keep()
		if err != nil {
			return nil, false
		}
		if keyIs(key, name) {
			return value, true
		}
		if scan.take(",") != nil {
			return nil, false
		}
	}
}

// Decode reads the record into a value as encoding/json does, for the few fields that the connector itself needs. A
// record of another shape is transient, with the code sdk.record.
func (r Row) Decode(into any) error {
	if err := unmarshal(r.Bytes, into); err != nil {
		return TransientError("sdk.record", "a record has another shape: "+err.Error())
	}
	return nil
}

// Page is a page cut into its records and the rest.
type Page struct {
	Rows     []Row
	envelope []byte
}

// Envelope reads what surrounds the rows, such as a paging cursor, into a value as encoding/json does. The array itself
// reads as empty. An envelope of another shape is transient, with the code sdk.page.
func (p *Page) Envelope(into any) error {
	if err := unmarshal(p.envelope, into); err != nil {
		return TransientError("sdk.page", "the answer has another shape: "+err.Error())
	}
	return nil
}

// AppendTo adds every record.
func (p *Page) AppendTo(rows *Rows) {
	for _, row := range p.Rows {
		rows.PushRaw(row)
	}
}

// Rows gathers records as JSON lines. The zero value is empty and ready.
type Rows struct {
	data  []byte
	count int
}

// Count is the number of records.
func (r *Rows) Count() int {
	return r.count
}

// Bytes is the size of the lines with their ends.
func (r *Rows) Bytes() int {
	return len(r.data)
}

// PushRaw adds a record as it is.
func (r *Rows) PushRaw(row Row) {
	r.PushBytes(row.Bytes)
}

// PushBytes adds a record that is JSON on one line.
func (r *Rows) PushBytes(line []byte) {
	r.data = append(append(r.data, line...), '\n')
	r.count++
}

// Push adds a record of the connector's own making, printed by [JSON]. What cannot be printed is permanent, with the
// code sdk.record.
func (r *Rows) Push(record any) error {
	line, err := JSON(record)
	if err != nil {
		return PermanentError("sdk.record", err.Error())
	}
	r.PushBytes(line)
	return nil
}

// Chunk gives the records.
func (r *Rows) Chunk() Chunk {
	return Chunk{uint32(r.count), r.data}
}

// Cut cuts the array at a path of object keys; no path means that the page is the array itself. It fails with a
// transient error, code sdk.page, when the array is missing or the page is cut short or garbage: next time it may be
// whole. The rows share the memory of body.
func Cut(body []byte, path ...string) (*Page, error) {
	cut := cutter{scanner: scanner{body: body}}
	err := cut.page(path)
	if err == nil && cut.blankEnd(cut.at) != len(body) {
		err = errBroken
	}
	if err != nil {
		const text = "the answer of %d bytes is no whole JSON document; it went wrong near byte %d"
		return nil, TransientError("sdk.page", fmt.Sprintf(text, len(body), cut.at))
	}
	if cut.arrays != 1 {
		return nil, TransientError("sdk.page", fmt.Sprintf("the answer has no array `%s`", strings.Join(path, ".")))
	}
	return &Page{cut.rows, cut.envelope}, nil
}

var errBroken = errors.New("no JSON")

// cutter moves over a document once; it stays where the document is broken.
type cutter struct {
	scanner
	rows     []Row
	envelope []byte
	// arrays is how often the wanted array was met; a document that holds it twice is no answer either.
	arrays int
}

// page finds the rows and puts the rest of the document into the envelope.
func (c *cutter) page(path []string) error {
	first, err := c.peek()
	switch {
	case err != nil:
		return err
	case len(path) == 0 && first == '[':
		return c.cutRows()
	case len(path) == 0 || first != '{':
		return c.copy()
	}
	return c.object(path)
}

func (c *cutter) object(path []string) error {
	c.at++
	c.put("{")
	if first, err := c.peek(); err != nil || first == '}' {
		c.at += over(err)
		c.put("}")
		return err
	}
	for {
		key, err := c.key()
		if err != nil {
			return err
		}
		c.envelope = append(append(c.envelope, key...), ':')
		if keyIs(key, path[0]) {
			err = c.page(path[1:])
		} else {
			err = c.copy()
		}
		if err != nil {
			return err
		}
		mark, err := c.either(',', '}')
		if err != nil {
			return err
		}
		c.envelope = append(c.envelope, mark)
		if mark == '}' {
			return nil
		}
		if _, err := c.peek(); err != nil {
			return err
		}
	}
}

func (c *cutter) cutRows() error {
	c.arrays++
	c.at++
	c.put("[]")
	if first, err := c.peek(); err != nil || first == ']' {
		c.at += over(err)
		return err
	}
	for {
		record, err := c.keep()
		if err != nil {
			return err
		}
		c.rows = append(c.rows, Row{oneLine(record)})
		mark, err := c.either(',', ']')
		if err != nil || mark == ']' {
			return err
		}
		if _, err := c.peek(); err != nil {
			return err
		}
	}
}

// copy puts one value into the envelope.
func (c *cutter) copy() error {
	value, err := c.keep()
	c.envelope = append(c.envelope, value...)
	return err
}

func (c *cutter) put(text string) {
	c.envelope = append(c.envelope, text...)
}

// over is how far to go on: over one byte unless there was an error.
func over(err error) int {
	if err != nil {
		return 0
	}
	return 1
}

// keyIs compares a key as it was written, in its quotes, with a name.
func keyIs(written []byte, name string) bool {
	content := written[1 : len(written)-1]
	if bytes.IndexByte(content, '\\') < 0 {
		return string(content) == name
	}
	var key string
	return json.Unmarshal(written, &key) == nil && key == name
}

// oneLine gives a record that was written over several lines without white space between its tokens, and any other
// record as it is.
func oneLine(record []byte) []byte {
	if bytes.IndexByte(record, '\n') < 0 && bytes.IndexByte(record, '\r') < 0 {
		return record
	}
	return compact(record)
}

// compact gives JSON without white space between its tokens.
func compact(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for at := 0; at < len(text); {
		end := at + 1
		if text[at] == '"' {
			end, _ = stringEnd(text, end)
		}
		if !isBlank(text[at]) {
			out = append(out, text[at:end]...)
		}
		at = end
	}
	return out
}
