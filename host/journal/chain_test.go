package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

func sealed(t *testing.T, run string, n int) ([]Record, []byte) {
	t.Helper()
	var records []Record
	var text []byte
	prev := Genesis(run)
	for i := range n {
		payload, err := EncodePayload(NoteText{Text: "<" + strings.Repeat("y", i) + ">"})
		if err != nil {
			t.Fatal(err)
		}
		r := Record{Seq: int64(i) + 1, Time: time.Date(2026, 2, 28, 3, 0, i, 120_000_000, time.UTC), Epoch: 1, Kind: Note, Payload: payload, Prev: prev}
		if text, err = Seal(text, &r); err != nil {
			t.Fatal(err)
		}
		records, prev = append(records, r), r.Hash
	}
	return records, text
}

// TestLineIsContract pins the serialisation: a change of it makes every kept
// journal unreadable.
func TestLineIsContract(t *testing.T) {
	_, text := sealed(t, "run-1", 1)
	want := `{"seq":1,"time":"2026-02-28T03:00:00.12Z","epoch":1,"kind":"note","payload":{"text":"<>","site":{}},` +
		`"prev":"4e65d3fbe8ad6535681b021b30785b12b6c0e3f8878859a4148b3f58b8835db0","hash":"6ba123159069f6e8cc1da263f4008552b488cdaa889b96e565aecb90a244a869"}` + "\n"
	if string(text) != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
}

func TestSealIsJSONOfTheRecord(t *testing.T) {
	records, text := sealed(t, "run-1", 3)
	var want bytes.Buffer
	enc := json.NewEncoder(&want)
	enc.SetEscapeHTML(false)
	for _, r := range records {
		if err := enc.Encode(r); err != nil {
			t.Fatal(err)
		}
	}
	if want.String() != string(text) {
		t.Errorf("got\n%s\nwant\n%s", text, want.String())
	}
}

// TestEveryFlippedBit goes through all of them, also those of the last line.
func TestEveryFlippedBit(t *testing.T) {
	_, text := sealed(t, "run-1", 3)
	for i := range text {
		for bit := range 8 {
			bad := bytes.Clone(text)
			bad[i] ^= 1 << bit
			records, tail, err := Verify("run-1", bytes.NewReader(bad))
			var damaged *DamagedError
			if !errors.As(err, &damaged) {
				t.Fatalf("byte %d (%q), bit %d: %d records, torn %q, %v", i, text[i], bit, len(records), tail.Torn, err)
			}
			if line := bytes.Count(text[:i], []byte("\n")) + 1; damaged.Line != line || len(records) != line-1 {
				t.Fatalf("byte %d, bit %d: line %d instead of %d, after %d records", i, bit, damaged.Line, line, len(records))
			}
		}
	}
}

func TestVerifyTail(t *testing.T) {
	_, text := sealed(t, "run-1", 2)
	first := bytes.IndexByte(text, '\n') + 1
	for cut := range len(text) {
		records, tail, err := Verify("run-1", bytes.NewReader(text[:cut]))
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		want := 0
		if cut >= first {
			want = first
		}
		if tail.Offset != int64(want) || string(tail.Torn) != string(text[want:cut]) || len(records) != min(want, 1) {
			t.Fatalf("cut at %d: %d records, %+v", cut, len(records), tail)
		}
	}
}

type brokenReader struct{ err error }

func (b brokenReader) Read([]byte) (int, error) { return 0, b.err }

func TestVerifyPassesOnReadErrors(t *testing.T) {
	broken := errors.New("input/output error")
	_, _, err := Verify("run-1", brokenReader{broken})
	var damaged *DamagedError
	if !errors.Is(err, broken) || errors.As(err, &damaged) {
		t.Errorf("got %v", err)
	}
}

// TestChainLies covers lines whose hash fits but whose content does not.
func TestChainLies(t *testing.T) {
	good := Record{Seq: 1, Time: time.Unix(0, 0).UTC(), Epoch: 2, Kind: Note, Payload: json.RawMessage(`{}`), Prev: Genesis("run-1")}
	for name, change := range map[string]func(*Record){
		"sequence": func(r *Record) { r.Seq = 3 },
		"epoch":    func(r *Record) { r.Epoch = 1 },
		"previous": func(r *Record) { r.Prev = Genesis("run-2") },
		"kind":     func(r *Record) { r.Kind = "" },
		"payload":  func(r *Record) { r.Payload = json.RawMessage(`{`) },
	} {
		first := good
		text, err := Seal(nil, &first)
		if err != nil {
			t.Fatal(err)
		}
		second := good
		second.Seq, second.Prev = 2, first.Hash
		change(&second)
		if text, err = Seal(text, &second); err != nil {
			t.Fatal(err)
		}
		var damaged *DamagedError
		if _, _, err := Verify("run-1", bytes.NewReader(text)); !errors.As(err, &damaged) || damaged.Line != 2 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestParseAgreesWithJSON: what is read in one pass is what JSON says, and all
// that is written is read so.
func TestParseAgreesWithJSON(t *testing.T) {
	records, text := sealed(t, "run-1", 3)
	for i, line := range bytes.Split(bytes.TrimSpace(text), []byte("\n")) {
		var want Record
		if err := json.Unmarshal(line, &want); err != nil {
			t.Fatal(err)
		}
		got, ok := parse(line)
		if !ok || !reflect.DeepEqual(got, want) || !reflect.DeepEqual(got, records[i]) {
			t.Errorf("got %+v, %v\nwant %+v", got, ok, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"seq":1,"time":"2026-02-28T03:00:00Z","epoch":1,"kind":"note","payload":{},"prev":"` + strings.Repeat("0", 64) + `","hash":"` + strings.Repeat("0", 64) + `"}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		got, ok := parse(line)
		var want Record
		if err := json.Unmarshal(line, &want); ok && (err != nil || !got.Time.Equal(want.Time) || got.Seq != want.Seq || got.Epoch != want.Epoch || got.Kind != want.Kind ||
			string(got.Payload) != string(want.Payload) || got.Prev != want.Prev || got.Hash != want.Hash) {
			t.Errorf("%q: got %+v, JSON says %+v (%v)", line, got, want, err)
		}
	})
}

func FuzzVerify(f *testing.F) {
	f.Add([]byte("{}\n"))
	f.Add([]byte(`{"seq":1,"hash":"` + strings.Repeat("0", 64) + `"}` + "\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		records, tail, err := Verify("run-1", bytes.NewReader(text))
		if err == nil && int(tail.Offset)+len(tail.Torn) != len(text) {
			t.Errorf("%d records, %+v of %d bytes", len(records), tail, len(text))
		}
	})
}
