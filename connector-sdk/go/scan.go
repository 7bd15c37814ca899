package onefold

// deepest is how many arrays and objects may stand in each other.
const deepest = 10_000

// scanner moves over JSON and checks its grammar. What is no UTF-8 passes; whether it may is the hub's to say. After an
// error it stands where the value that is broken begins.
type scanner struct {
	body []byte
	at   int
}

func isBlank(c byte) bool {
	return c == ' ' || c == '\n' || c == '\t' || c == '\r'
}

func (s *scanner) blankEnd(at int) int {
	for at < len(s.body) && isBlank(s.body[at]) {
		at++
	}
	return at
}

// peek moves to the next token and gives its first byte.
func (s *scanner) peek() (byte, error) {
	s.at = s.blankEnd(s.at)
	if s.at == len(s.body) {
		return 0, errBroken
	}
	return s.body[s.at], nil
}

// either moves over one of two tokens of one byte.
func (s *scanner) either(one, other byte) (byte, error) {
	found, err := s.peek()
	if err != nil || found != one && found != other {
		return 0, errBroken
	}
	s.at++
	return found, nil
}

// take moves over a token of one byte.
func (s *scanner) take(token string) error {
	_, err := s.either(token[0], token[0])
	return err
}

// key moves over a key and its colon and gives the key in its quotes.
func (s *scanner) key() ([]byte, error) {
	if err := s.take(`"`); err != nil {
		return nil, err
	}
	start := s.at - 1
	end, ok := stringEnd(s.body, s.at)
	if !ok {
		return nil, errBroken
	}
	s.at = end
	return s.body[start:end], s.take(":")
}

// keep moves over one value and gives it as it was written.
func (s *scanner) keep() ([]byte, error) {
	if _, err := s.peek(); err != nil {
		return nil, err
	}
	start := s.at
	end, ok := s.valueEnd(start, 0)
	if !ok {
		return nil, errBroken
	}
	s.at = end
	return s.body[start:end], nil
}

// valueEnd gives the place behind the value that begins here.
func (s *scanner) valueEnd(at, depth int) (int, bool) {
	if at == len(s.body) || depth > deepest {
		return at, false
	}
	switch s.body[at] {
	case '"':
		return stringEnd(s.body, at+1)
	case '{':
		return s.nestedEnd(at+1, '}', depth)
	case '[':
		return s.nestedEnd(at+1, ']', depth)
	case 't':
		return s.wordEnd(at, "true")
	case 'f':
		return s.wordEnd(at, "false")
	case 'n':
		return s.wordEnd(at, "null")
	default:
		if end := noNumberEnd(s.body, at); end > at {
			return end, true
		}
		return s.numberEnd(at)
	}
}

// noNumbers is what some vendors write where there is no number. Such a value costs nobody else: the record passes
// through as it was written, and the hub leaves the field out.
var noNumbers = []string{"NaN", "Infinity", "-Infinity"}

// noNumberEnd gives the place behind the one of noNumbers that begins here, and the same place where there is none.
func noNumberEnd(body []byte, at int) int {
	for _, word := range noNumbers {
		end := at + len(word)
		if end <= len(body) && string(body[at:end]) == word {
			return end
		}
	}
	return at
}

// nestedEnd gives the place behind the array or object whose content begins here.
func (s *scanner) nestedEnd(at int, closing byte, depth int) (int, bool) {
	at = s.blankEnd(at)
	if at < len(s.body) && s.body[at] == closing {
		return at + 1, true
	}
	for {
		ok := true
		if closing == '}' {
			at, ok = s.keyEnd(at)
		}
		if ok {
			at, ok = s.valueEnd(at, depth+1)
		}
		at = s.blankEnd(at)
		if !ok || at == len(s.body) {
			return at, false
		}
		if s.body[at] == closing {
			return at + 1, true
		}
		if s.body[at] != ',' {
			return at, false
		}
		at = s.blankEnd(at + 1)
	}
}

// keyEnd gives the place of the value whose key begins here.
func (s *scanner) keyEnd(at int) (int, bool) {
	if at == len(s.body) || s.body[at] != '"' {
		return at, false
	}
	at, ok := stringEnd(s.body, at+1)
	if !ok {
		return at, false
	}
	at = s.blankEnd(at)
	if at == len(s.body) || s.body[at] != ':' {
		return at, false
	}
	return s.blankEnd(at + 1), true
}

func (s *scanner) wordEnd(at int, word string) (int, bool) {
	end := at + len(word)
	return end, end <= len(s.body) && string(s.body[at:end]) == word
}

// numberEnd gives the place behind the longest number that begins here.
func (s *scanner) numberEnd(at int) (int, bool) {
	if s.body[at] == '-' {
		at++
	}
	end := s.digitsEnd(at)
	if end == at {
		return at, false
	}
	if s.body[at] == '0' {
		end = at + 1
	}
	if end < len(s.body) && s.body[end] == '.' {
		if fraction := s.digitsEnd(end + 1); fraction > end+1 {
			end = fraction
		}
	}
	if end < len(s.body) && (s.body[end] == 'e' || s.body[end] == 'E') {
		digits := end + 1
		if digits < len(s.body) && (s.body[digits] == '+' || s.body[digits] == '-') {
			digits++
		}
		if exponent := s.digitsEnd(digits); exponent > digits {
			end = exponent
		}
	}
	return end, true
}

func (s *scanner) digitsEnd(at int) int {
	for at < len(s.body) && isDigit(s.body[at]) {
		at++
	}
	return at
}

func isDigit(c byte) bool {
	return c >= '0' && c <= '9'
}

// stringEnd gives the place behind the closing quote of the string whose content begins here.
func stringEnd(body []byte, at int) (int, bool) {
	for at < len(body) {
		switch c := body[at]; {
		case c == '"':
			return at + 1, true
		case c < ' ':
			return at, false
		case c == '\\':
			size := escapeSize(body[at:])
			if size == 0 {
				return at, false
			}
			at += size
		default:
			at++
		}
	}
	return at, false
}

// escapeSize is the length of the escape that begins here, 0 when it is none.
func escapeSize(text []byte) int {
	if len(text) < 2 {
		return 0
	}
	switch text[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(text) >= 6 && isHex(text[2]) && isHex(text[3]) && isHex(text[4]) && isHex(text[5]) {
			return 6
		}
	}
	return 0
}

func isHex(c byte) bool {
	return isDigit(c) || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}
