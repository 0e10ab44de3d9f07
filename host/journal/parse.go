package journal

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// parse reads a line as Seal writes it, in one pass. ok is false for every
// other one, which json.Unmarshal has to judge. The payload is a part of line.
func parse(line []byte) (r Record, ok bool) {
	rest := line
	next := func(mark string, end byte) []byte {
		tail, found := bytes.CutPrefix(rest, []byte(mark))
		at := bytes.IndexByte(tail, end)
		if !found || at < 0 {
			ok = false
			return nil
		}
		rest = tail[at:]
		return tail[:at]
	}
	ok = true
	seq, at, epoch, kind := next(`{"seq":`, ','), next(`,"time":"`, '"'), next(`","epoch":`, ','), next(`,"kind":"`, '"')
	payload, found := bytes.CutPrefix(rest, []byte(`","payload":`))
	const prevStart, between = `,"prev":"`, `",` + hashStart
	foot := len(prevStart) + hashLen + len(between) + hashLen + len(hashEnd)
	if !ok || !found || len(payload) < foot || !madeOf(kind, "abcdefghijklmnopqrstuvwxyz_") {
		return r, false
	}
	payload, foots := payload[:len(payload)-foot], payload[len(payload)-foot:]
	prev, tail, found := bytes.Cut(foots[len(prevStart):], []byte(between))
	if !found || !bytes.HasPrefix(foots, []byte(prevStart)) || !bytes.HasSuffix(tail, []byte(hashEnd)) || len(prev) != hashLen || len(tail) != hashLen+len(hashEnd) ||
		!madeOf(prev, hexDigits) || !madeOf(tail[:hashLen], hexDigits) {
		return r, false
	}
	var goodSeq, goodEpoch bool
	r.Seq, goodSeq = number(seq)
	r.Epoch, goodEpoch = number(epoch)
	if err := r.Time.UnmarshalText(at); err != nil || !goodSeq || !goodEpoch {
		return r, false
	}
	r.Kind, r.Payload, r.Prev, r.Hash = Kind(kind), json.RawMessage(payload), string(prev), string(tail[:hashLen])
	return r, json.Valid(payload)
}

const hexDigits = "0123456789abcdef"

func madeOf(text []byte, letters string) bool {
	return bytes.IndexFunc(text, func(r rune) bool { return !strings.ContainsRune(letters, r) }) < 0
}

// number reads an integer as strconv writes it.
func number(text []byte) (int64, bool) {
	n, err := strconv.ParseInt(string(text), 10, 64)
	return n, err == nil && strconv.FormatInt(n, 10) == string(text)
}
