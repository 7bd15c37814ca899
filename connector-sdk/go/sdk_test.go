package onefold_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand"
	"reflect"
	"slices"
	"strings"
	"testing"

	"onefold"
	"onefold/onefoldtest"
)

var acme = onefold.Vendor{Name: "acme", Code: []string{"/error/code"}, Message: []string{"/error/message", "/message"}}

func equal(t *testing.T, got, wanted any) {
	t.Helper()
	if !reflect.DeepEqual(got, wanted) {
		t.Errorf("got %#v, wanted %#v", got, wanted)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func fails(t *testing.T, err error, class onefold.Class) *onefold.Error {
	t.Helper()
	var failure *onefold.Error
	if !errors.As(err, &failure) || failure.Class != class {
		t.Fatalf("got %v, wanted an error of class %s", err, class)
	}
	return failure
}

func texts(t *testing.T, body string, path ...string) []string {
	t.Helper()
	page, err := onefold.Cut([]byte(body), path...)
	must(t, err)
	found := []string{}
	for _, row := range page.Rows {
		found = append(found, string(row.Bytes))
	}
	return found
}

func nobody(t *testing.T) *onefoldtest.Hub {
	return onefoldtest.Script(t)
}

func answering(t *testing.T, answer *onefold.Response, err error) *onefoldtest.Hub {
	return onefoldtest.New(t, func(*onefold.Request) (*onefold.Response, error) { return answer, err })
}

func TestRecordsComeOutAsTheyWereWrittenAndTheRestIsTheEnvelope(t *testing.T) {
	body := `{"total": 2, "results":[{"a":"x]},\"{","b":[1,{}]},{"a":1e5, "b":null},{"n":12345678901234567890.10,"é":"ü"}],"next":"7"}`
	rows := []string{`{"a":"x]},\"{","b":[1,{}]}`, `{"a":1e5, "b":null}`, `{"n":12345678901234567890.10,"é":"ü"}`}
	equal(t, texts(t, body, "results"), rows)
	page, err := onefold.Cut([]byte(body), "results")
	must(t, err)
	var envelope any
	must(t, page.Envelope(&envelope))
	equal(t, envelope, map[string]any{"total": 2.0, "results": []any{}, "next": "7"})
	for name, wanted := range map[string]string{"n": "12345678901234567890.10", "é": `"ü"`, "m": ""} {
		raw, there := page.Rows[2].Raw(name)
		equal(t, string(raw), wanted)
		equal(t, there, wanted != "")
	}
}

func TestARecordOfSeveralLinesBecomesOne(t *testing.T) {
	body := "[\r\n  {\n    \"a\": \"b \\\"  ć\",\n\t\"d\": [ 1,\n 2 ]\n  }\n]\n"
	equal(t, texts(t, body), []string{`{"a":"b \"  ć","d":[1,2]}`})
}

func TestBytesAndNumbersThatGoWouldNotReadPassThrough(t *testing.T) {
	long := `[{"n":` + strings.Repeat("9", 5000) + `,"s":"` + "\xff" + `"}]`
	equal(t, texts(t, long), []string{long[1 : len(long)-1]})
}

func TestAPageCutShortAnywhereOrNoJSONIsTransient(t *testing.T) {
	body := `{"results":[{"a":"\u00e9\\"},{"b":[true,-1.5]}],"more":false}`
	equal(t, len(texts(t, body, "results")), 2)
	broken := []string{"<html>", `{"results":[}]}`, "{} {}", "[1]", "{\"results\":[{\"a\":\"x\ny\"}]}", `{"results":null}`,
		`{"results":[1 2]}`, `{"results":[],"results":[{}]}`, `{"results":[nan]}`, `{"results":[01]}`, `{"results":[{"a":1,}]}`}
	for end := range body {
		broken = append(broken, body[:end])
	}
	for _, text := range broken {
		_, err := onefold.Cut([]byte(text), "results")
		equal(t, fails(t, err, onefold.ClassTransient).Code, "sdk.page")
	}
	_, err := onefold.Cut([]byte(`{"results":[{"a":1},{"a":x}]}`), "results")
	equal(t, err.Error(), "sdk.page: the answer of 29 bytes is no whole JSON document; it went wrong near byte 20")
	_, err = onefold.Cut([]byte(strings.Repeat("[", 1_000_000)))
	fails(t, err, onefold.ClassTransient)
}

// I17
func TestAValueThatCannotBeReadCostsNoOtherRecord(t *testing.T) {
	deep := strings.Repeat("[", 200) + strings.Repeat("]", 200)
	objects := strings.Repeat(`{"a":`, 200) + "1" + strings.Repeat("}", 200)
	for _, bad := range []string{`"\ud83d"`, `"x\udc00"`, "1e400", "-1E+999", "NaN", "Infinity", "-Infinity", deep, objects} {
		row := `{"id":2,"bad":` + bad + `,"deleted":true}`
		one, three := `{"id":1}`, `{"id":3,"name":"NaN"}`
		for _, rows := range [][]string{{row, one, three}, {one, row, three}, {one, three, row}, {row}, {bad, row}} {
			body := `{"rows":[` + strings.Join(rows, ",") + `],"more":` + bad + `,"next":"7"}`
			equal(t, texts(t, body, "rows"), rows)
			page, err := onefold.Cut([]byte(body), "rows")
			must(t, err)
			var envelope struct{ Next string }
			must(t, page.Envelope(&envelope))
			equal(t, envelope.Next, "7")
			found := page.Rows[slices.Index(rows, row)]
			id, _ := found.Raw("id")
			equal(t, string(id), "2")
			var head struct {
				ID      int
				Deleted bool
				Bad     any
			}
			must(t, found.Decode(&head))
			equal(t, head.ID, 2)
			equal(t, head.Deleted, true)
		}
		body := []byte(`{"errors":[{"of":1}],"bad":` + bad + `}`)
		hub := answering(t, &onefold.Response{Status: 200, Body: body}, nil)
		var answer struct {
			Errors []map[string]int
			Bad    any
		}
		must(t, acme.Fetch(hub, onefold.Get("https://acme"), &answer))
		equal(t, answer.Errors, []map[string]int{{"of": 1}})
	}
}

func TestARowThatCannotBeSentCostsNoOtherRow(t *testing.T) {
	for _, bad := range []string{"1e400", "NaN", "-Infinity"} {
		text := `{"email":"a"}` + "\n" + `{"email":"b","bad":` + bad + "}\n" + `{"email":"c"}` + "\n"
		request := onefold.WriteRequest{Rows: onefold.Chunk{Count: 3, Data: []byte(text)}}
		kept, failures := onefold.Keyed(acme, request, "email")
		equal(t, len(kept), 2)
		equal(t, len(failures), 1)
		equal(t, failures[0].Index, uint32(1))
	}
}

func randomValue(chance *rand.Rand, depth int) any {
	kinds := 5
	if depth == 0 {
		kinds = 3
	}
	switch chance.Intn(kinds) {
	case 0:
		return float64(chance.Intn(1000)) / 8
	case 1:
		return []any{nil, true, false}[chance.Intn(3)]
	case 2:
		pieces := []string{"", `"`, `\`, "\n", "é", "},{", "}]", "0123456789", "😀"}
		text := ""
		for range chance.Intn(4) {
			text += pieces[chance.Intn(len(pieces))]
		}
		return text
	case 3:
		return randomRows(chance, depth, 4)
	default:
		object := map[string]any{}
		for range chance.Intn(4) {
			object[fmt.Sprintf("k%d", chance.Intn(9))] = randomValue(chance, depth-1)
		}
		return object
	}
}

func randomRows(chance *rand.Rand, depth, most int) []any {
	rows := []any{}
	for range chance.Intn(most) {
		rows = append(rows, randomValue(chance, depth-1))
	}
	return rows
}

func TestAnyDocumentIsCutAsAParserWouldCutIt(t *testing.T) {
	chance := rand.New(rand.NewSource(7))
	for range 2_000 {
		rows := randomRows(chance, 5, 5)
		page := map[string]any{"before": randomValue(chance, 3), "rows": rows, "z": randomValue(chance, 2)}
		short, err := onefold.JSON(page)
		must(t, err)
		long, err := json.MarshalIndent(page, "", "  ")
		must(t, err)
		for _, body := range [][]byte{short, long} {
			read := []any{}
			for _, line := range texts(t, string(body), "rows") {
				var value any
				must(t, json.Unmarshal([]byte(line), &value))
				equal(t, strings.Contains(line, "\n"), false)
				read = append(read, value)
			}
			equal(t, read, rows)
			spoiled := bytes.Clone(body)
			spoiled[chance.Intn(len(spoiled))] = "\"\\{}[],:0.e-\n x"[chance.Intn(15)]
			_, err := onefold.Cut(spoiled, "rows")
			whole := err == nil || strings.Contains(err.Error(), "has no array")
			equal(t, whole, json.Valid(spoiled))
		}
	}
}

func TestNoRowIsLostOrRepeatedAtAnyBound(t *testing.T) {
	numbers := func(cursor, room int, found *onefold.Found) (onefold.Step[int], error) {
		end := min(cursor+min(room, 10), 100)
		for n := cursor; n < end; n++ {
			must(t, found.Upserts.Push(map[string]int{"n": n}))
		}
		if end == 100 {
			return onefold.Done(end), nil
		}
		return onefold.More(end), nil
	}
	wanted := []string{}
	for n := range 100 {
		wanted = append(wanted, fmt.Sprintf(`{"n":%d}`, n))
	}
	for _, bounds := range [][2]uint32{{1, 1}, {7, 1_000_000}, {25, 40}, {1_000, 200}, {1_000, 1_000_000}} {
		request := onefold.ReadRequest{Stream: "x", MaxRecords: bounds[0], MaxBytes: bounds[1]}
		rows, deletes, cursor := onefoldtest.ReadAll(t, request, func(r onefold.ReadRequest) (onefold.Batch, error) {
			return onefold.ReadPages(nobody(t), r, 0, numbers)
		})
		equal(t, rows, wanted)
		equal(t, len(deletes), 0)
		equal(t, cursor, "100")
	}
}

func TestAFailureAfterTheFirstPageKeepsThePagesBeforeItAndOneOnTheFirstDoesNot(t *testing.T) {
	page := func(cursor, _ int, found *onefold.Found) (onefold.Step[int], error) {
		must(t, found.Upserts.Push(map[string]int{"cursor": cursor}))
		if cursor == 3 {
			return onefold.Step[int]{}, onefold.TransientError("x", "broke after its row")
		}
		return onefold.More(cursor + 1), nil
	}
	hub, request := nobody(t), onefoldtest.Whole("x")
	batch, err := onefold.ReadPages(hub, request, 0, page)
	must(t, err)
	equal(t, string(batch.Upserts.Data), "{\"cursor\":0}\n{\"cursor\":1}\n{\"cursor\":2}\n")
	equal(t, []any{batch.Upserts.Count, batch.Done, string(batch.Cursor)}, []any{uint32(3), false, "3"})
	_, err = onefold.ReadPages(hub, request, 3, page)
	fails(t, err, onefold.ClassTransient)
	_, err = onefold.ReadPages(hub, request.At([]byte("{")), 0, page)
	fails(t, err, onefold.ClassCursorExpired)
	_, err = onefold.ReadPages(nobody(t).Cancel(), request, 0, page)
	fails(t, err, onefold.ClassCancelled)
}

type change struct{ sign, line string }

// gathered gives what a batch of these pages holds.
func gathered(t *testing.T, pages ...[]change) (upserts, deletes []string) {
	t.Helper()
	page := func(number, _ int, found *onefold.Found) (onefold.Step[int], error) {
		for _, one := range pages[number] {
			if one.sign == "+" {
				found.Upserts.PushBytes([]byte(one.line))
			} else {
				found.DeleteBytes([]byte(one.line))
			}
		}
		if number+1 == len(pages) {
			return onefold.Done(0), nil
		}
		return onefold.More(number + 1), nil
	}
	upserts, deletes, _ = onefoldtest.ReadAll(t, onefoldtest.Whole("x"), func(request onefold.ReadRequest) (onefold.Batch, error) {
		return onefold.ReadPages(nobody(t), request, 0, page)
	})
	return upserts, deletes
}

func TestARecordThatIsDeletedAndCreatedAgainIsNotDeleted(t *testing.T) {
	gone, again, other := change{"-", `{"id":1}`}, change{"+", `{"id":1,"name":"new"}`}, change{"+", `{"id":2}`}
	wanted := []string{`{"id":2}`, `{"id":1,"name":"new"}`}
	upserts, deletes := gathered(t, []change{gone}, []change{other, again})
	equal(t, upserts, wanted)
	equal(t, deletes, []string(nil))
	upserts, deletes = gathered(t, []change{other, gone, again})
	equal(t, upserts, wanted)
	equal(t, deletes, []string(nil))
}

func TestTheVendorsLastWordCounts(t *testing.T) {
	gone, here := change{"-", `{"id":1}`}, change{"+", `{"id":1,"name":"old"}`}
	for _, pages := range [][][]change{{{here}, {gone}}, {{here, gone}}, {{gone, here}, {gone}}} {
		_, deletes := gathered(t, pages...)
		equal(t, deletes, []string{`{"id":1}`})
	}
	_, deletes := gathered(t, []change{gone}, []change{here, gone, here, {"-", `{"id":2}`}})
	equal(t, deletes, []string{`{"id":2}`})
}

func TestKeysAreComparedAsJSONValues(t *testing.T) {
	same := [][2]string{
		{`{"id":7}`, `{"name":"x","id":7.0}`},
		{`{"id":70}`, `{"id":7e1}`},
		{`{"id":-0.0}`, `{"id":0}`},
		{`{"id":12345678901234567890123}`, `{"id":12345678901234567890123}`},
		{`{"id":"aé"}`, `{ "\u0069d" : "a\u00e9" }`},
		{`{"id":"a/b\n"}`, `{"id":"a\/b\u000a"}`},
		{`{"id":"\ud83d"}`, `{"id":"\ud83d"}`},
		{`{"a":1,"b":"x"}`, `{"b":"x","c":3,"a":1}`},
		{`{"key":{"a":1,"b":2}}`, `{"key":{"b":2,"c":3,"a":1.0}}`},
		{`{"id":[1,{"a":2}]}`, `{"id":[ 1, {"a": 2} ]}`},
		{`{"id":null}`, `{"id":null}`},
		{`{"id":1}`, `{"id":1,"id":2}`},
		{`{"id":1` + strings.Repeat("0", 50) + `}`, `{"id":1e50}`},
		{`{"a.b":"x"}`, `{"a.b":"x"}`},
	}
	for _, one := range same {
		upserts, deletes := gathered(t, []change{{"-", one[0]}}, []change{{"+", one[1]}})
		equal(t, upserts, []string{one[1]})
		equal(t, deletes, []string(nil))
	}
}

func TestOtherKeysAndWhatIsNotAKeyLeaveTheDeleteAlone(t *testing.T) {
	deep := strings.Repeat(`{"id":`, 5_000) + "1" + strings.Repeat("}", 5_000)
	different := [][2]string{
		{`{"id":7}`, `{"id":"7"}`},
		{`{"id":7}`, `{"id":70}`},
		{`{"id":7}`, `{"id":-7}`},
		{`{"id":7}`, `{"id":7e40}`},
		{`{"id":0}`, `{"id":0.5}`},
		{`{"id":"a"}`, `{"id":"ab"}`},
		{`{"id":2}`, `{"id":1,"id":2}`},
		{`{"id":12345678901234567890123}`, `{"id":12345678901234567890124}`},
		{`{"id":1e1999999999999}`, `{"id":1e1999999999998}`},
		{`{"id":"\ud83d"}`, `{"id":"\ud83e"}`},
		{`{"id":"a"}`, `{"id":"A"}`},
		{`{"id":"{1}"}`, `{"id":{"1":1}}`},
		{`{"a":1,"b":2}`, `{"a":1,"b":3}`},
		{`{"a":1,"b":2}`, `{"a":1}`},
		{`{"key":{"a":1}}`, `{"key":1}`},
		{`{"key":{"a":1}}`, `{"key":[{"a":1}]}`},
		{`{"id":[1,2]}`, `{"id":[1]}`},
		{`{"id":true}`, `{"id":"true"}`},
		{`{"id":null}`, `{}`},
		{`{}`, `{"id":1}`},
		{`{"id":1}`, `7`},
		{`{"id":1}`, `{"id":1`},
		{`{"id":1}`, `x`},
		{`[1]`, `[1]`},
		{`{"id":1`, `{"id":1}`},
		{`{"id":1}`, deep},
		{deep, `{"id":1}`},
	}
	for _, one := range different {
		upserts, deletes := gathered(t, []change{{"-", one[0]}}, []change{{"+", one[1]}})
		equal(t, upserts, []string{one[1]})
		equal(t, deletes, []string{one[0]})
	}
}

func TestAPageThatFailsTakesItsPartBack(t *testing.T) {
	page := func(number, _ int, found *onefold.Found) (onefold.Step[int], error) {
		if number == 0 {
			must(t, found.Delete(map[string]int{"id": 1}))
			return onefold.More(1), nil
		}
		must(t, found.Upserts.Push(map[string]int{"id": 1}))
		must(t, found.Delete(map[string]int{"id": 2}))
		return onefold.Step[int]{}, onefold.TransientError("x", "broke after its rows")
	}
	batch, err := onefold.ReadPages(nobody(t), onefoldtest.Whole("x"), 0, page)
	must(t, err)
	equal(t, []any{batch.Upserts.Count, string(batch.Deletes.Data), string(batch.Cursor)}, []any{uint32(0), "{\"id\":1}\n", "1"})
}

func TestLinksAreFound(t *testing.T) {
	links := map[string]string{
		`<https://a/?page=1,2>; rel="prev", <https://a/?page=3>; title=x; rel="next"`: "https://a/?page=3",
		"<https://a/>; rel=last": "", "": "", "<https://a": "",
	}
	for text, wanted := range links {
		header := onefold.Header{Name: "Link", Value: []byte(text)}
		url, found := onefold.NextLink(&onefold.Response{Status: 200, Headers: []onefold.Header{header}})
		equal(t, url, wanted)
		equal(t, found, wanted != "")
	}
}

func refusal(t *testing.T, status uint16, body any, headers ...onefold.Header) *onefold.Error {
	t.Helper()
	hub := answering(t, onefoldtest.JSON(status, body, headers...), nil)
	_, err := acme.Send(hub, onefold.Get("https://acme.test/").Bucket("slow"))
	return onefold.ErrorOf(err)
}

func TestTheStatusDecidesTheClassAndTheVendorsWordsAreKept(t *testing.T) {
	classes := map[uint16]onefold.Class{
		302: onefold.ClassOther, 401: onefold.ClassAuth, 403: onefold.ClassPermission, 404: onefold.ClassPermanent,
		408: onefold.ClassTransient, 422: onefold.ClassPermanent, 429: onefold.ClassRateLimited, 500: onefold.ClassTransient,
	}
	for status, class := range classes {
		failure := refusal(t, status, "<p>")
		equal(t, failure.Class, class)
		equal(t, failure.Error(), fmt.Sprintf("acme.%d: acme answered %d: no reason was given", status, status))
	}
	said := refusal(t, 400, `{"error":{"code":"bad","message":"no such field"}}`)
	equal(t, said.Error(), "acme.bad: acme answered 400: no such field")
	equal(t, said.HTTPStatus, uint16(400))
	odd := refusal(t, 400, `{"error":{"code":7,"message":null},"message":{"é\/\n":[1,2.50,1e30,{}],"😀":"\uD83D"}}`)
	wanted := `acme.7: acme answered 400: {"\u00e9/\n": [1, 2.5, 1e+30, {}], "\ud83d\ude00": "\ud83d"}`
	equal(t, odd.Error(), wanted)
	long := refusal(t, 400, map[string]string{"message": strings.Repeat("é", 501)})
	equal(t, long.Message, "acme answered 400: "+strings.Repeat("é", 500)+"…")
}

func TestAWaitIsToldInMilliseconds(t *testing.T) {
	waits := map[string]*uint64{
		"3": onefold.Ptr[uint64](3000), "0.25": onefold.Ptr[uint64](250), "Wed, 21 Oct 2026 07:28:00 GMT": nil, "-1": nil, "1e308": nil, "0x10": nil,
		"": nil, "inf": nil, "nan": nil, "1e300": nil,
	}
	for value, wanted := range waits {
		failure := refusal(t, 429, "{}", onefold.Header{Name: "Retry-After", Value: []byte(value)})
		equal(t, failure.RetryAfterMs, wanted)
		equal(t, failure.Bucket, "slow")
	}
}

func TestNoAnswerIsTransientAndADenialIsConfiguration(t *testing.T) {
	tags := map[onefold.HTTPErrorTag]onefold.Class{
		onefold.HTTPTimeout: onefold.ClassTransient, onefold.HTTPDenied: onefold.ClassConfig,
		onefold.HTTPResponseTooLarge: onefold.ClassPermanent, onefold.HTTPCancelled: onefold.ClassCancelled,
	}
	for tag, class := range tags {
		_, err := acme.Send(answering(t, nil, &onefold.HTTPError{Tag: tag, Said: "why"}), onefold.Get("x"))
		fails(t, err, class)
	}
	var value any
	err := acme.Fetch(answering(t, onefoldtest.JSON(200, "<p>"), nil), onefold.Get("x"), &value)
	fails(t, err, onefold.ClassTransient)
	_, err = acme.Send(nobody(t), onefold.Post("x").JSON(func() {}))
	fails(t, err, onefold.ClassPermanent)
}

func TestAddressesAreEncoded(t *testing.T) {
	equal(t, onefold.Encode("a/b é!~"), "a%2Fb%20%C3%A9%21~")
}

func TestJSONHasOneForm(t *testing.T) {
	text, err := onefold.JSON(map[string]any{"b": "<é\u2028\\u2028>\x7f", "a": json.RawMessage(`[1.10, 1]`)})
	must(t, err)
	equal(t, string(text), "{\"a\":[1.10,1],\"b\":\"<é\u2028\\\\u2028>\x7f\"}")
}
