package onefold

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// JSON prints a value as encoding/json does, in one form whatever the value: without white space, and with every
// character that JSON does not forbid as itself. It fails for what JSON cannot hold, such as a channel.
func JSON(value any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return separatorsAsThemselves(bytes.TrimSuffix(out.Bytes(), []byte{'\n'})), nil
}

// separatorsAsThemselves undoes the escaping of U+2028 and U+2029, which encoding/json adds for the sake of browsers.
func separatorsAsThemselves(text []byte) []byte {
	if !bytes.Contains(text, []byte(`\u202`)) {
		return text
	}
	out := make([]byte, 0, len(text))
	for at := 0; at < len(text); at++ {
		rest := text[at:]
		switch {
		case bytes.HasPrefix(rest, []byte(`\u2028`)), bytes.HasPrefix(rest, []byte(`\u2029`)):
			out = utf8.AppendRune(out, 0x2020+rune(rest[5]-'0'))
			at += 5
		case rest[0] == '\\':
			out = append(out, rest[:2]...)
			at++
		default:
			out = append(out, rest[0])
		}
	}
	return out
}

// unmarshal reads JSON as encoding/json does. What some vendors write where there is no number, and numbers that no
// program holds, are null: one such value must not cost the rest.
func unmarshal(document []byte, into any) error {
	err := json.Unmarshal(document, into)
	if err == nil {
		return nil
	}
	readable := withoutNoNumbers(document)
	if bytes.Equal(readable, document) {
		return err
	}
	return json.Unmarshal(readable, into)
}

func withoutNoNumbers(document []byte) []byte {
	out := make([]byte, 0, len(document))
	for at := 0; at < len(document); {
		end := at + 1
		switch c := document[at]; {
		case c == '"':
			if whole, ok := stringEnd(document, end); ok {
				end = whole
			}
		case c == '-' || isDigit(c) || c == 'N' || c == 'I':
			for end < len(document) && strings.IndexByte(" \t\r\n,:]}", document[end]) < 0 {
				end++
			}
			if isNoNumber(string(document[at:end])) {
				out = append(out, "null"...)
				at = end
				continue
			}
		}
		out = append(out, document[at:end]...)
		at = end
	}
	return out
}

func isNoNumber(word string) bool {
	for _, one := range noNumbers {
		if word == one {
			return true
		}
	}
	_, err := strconv.ParseFloat(word, 64)
	return errors.Is(err, strconv.ErrRange)
}

// spaced prints JSON in the form in which documents and a vendor's values leave the SDK: a space after each comma and
// colon, ASCII only, numbers with a fraction or an exponent in their shortest spelling. Object keys keep their order.
func spaced(document []byte) string {
	var out strings.Builder
	for at := 0; at < len(document); {
		switch c := document[at]; c {
		case ' ', '\t', '\r', '\n':
			at++
		case ',', ':':
			out.WriteByte(c)
			out.WriteByte(' ')
			at++
		case '"':
			end, ok := stringEnd(document, at+1)
			if !ok {
				return out.String()
			}
			writeASCII(&out, document[at+1:end-1])
			at = end
		default:
			end := at + 1
			for c != '{' && c != '[' && end < len(document) && !strings.ContainsRune(" \t\r\n,:]}", rune(document[end])) {
				end++
			}
			out.WriteString(shortest(string(document[at:end])))
			at = end
		}
	}
	return out.String()
}

// shortest spells a number; what is no number with a fraction or an exponent stays as it is.
func shortest(token string) string {
	value, err := strconv.ParseFloat(token, 64)
	if err != nil || !strings.ContainsAny(token, ".eE") {
		return token
	}
	text := strconv.FormatFloat(value, 'e', -1, 64)
	_, power, _ := strings.Cut(text, "e")
	if exponent, _ := strconv.Atoi(power); exponent < -4 || exponent >= 16 {
		return text
	}
	text = strconv.FormatFloat(value, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

// writeASCII prints the content of a JSON string, which may hold escapes, as a string of ASCII.
func writeASCII(out *strings.Builder, content []byte) {
	out.WriteByte('"')
	for len(content) > 0 {
		char, size := utf8.DecodeRune(content)
		if char == '\\' {
			char, size = unescaped(content)
		}
		content = content[size:]
		if char < 0x10000 {
			writeUnit(out, char)
			continue
		}
		high, low := utf16.EncodeRune(char)
		writeUnit(out, high)
		writeUnit(out, low)
	}
	out.WriteByte('"')
}

// unescaped gives the UTF-16 unit that an escape stands for, and the escape's length in bytes.
func unescaped(content []byte) (rune, int) {
	switch content[1] {
	case 'u':
		unit, _ := strconv.ParseUint(string(content[2:6]), 16, 16)
		return rune(unit), 6
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	default:
		return rune(content[1]), 2
	}
}

func writeUnit(out *strings.Builder, unit rune) {
	const short = "\"\\\b\f\n\r\t"
	const hex = "0123456789abcdef"
	if at := strings.IndexRune(short, unit); at >= 0 && unit < 0x80 {
		out.WriteByte('\\')
		out.WriteByte(`"\bfnrt`[at])
	} else if unit >= ' ' && unit <= '~' {
		out.WriteRune(unit)
	} else {
		out.WriteString(`\u`)
		out.WriteString(string([]byte{hex[unit>>12&15], hex[unit>>8&15], hex[unit>>4&15], hex[unit&15]}))
	}
}
