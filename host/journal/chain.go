package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// The serialisation of a record is a contract: journals are verified byte by
// byte, by this program and by others. A line is the JSON object
//
//	{"seq":1,"time":"…","epoch":1,"kind":"…","payload":…,"prev":"…","hash":"…"}
//
// with the members in this order, without blanks between them, without the
// escaping of <, > and & that encoding/json does by default, and one "\n"
// after it. The hash is the hex SHA-256 of prev followed by the same object
// with an empty hash:
//
//	sha256(prev + `{"seq":1,…,"prev":"…","hash":""}`)
//
// The prev of the first record is the hex SHA-256 of the run's id, so that a
// journal cannot be passed off as another run's.

const (
	hashStart = `"hash":"`
	hashEnd   = `"}`
	hashLen   = 2 * sha256.Size
)

// Genesis is the Prev of the first record of a run.
func Genesis(run string) string {
	sum := sha256.Sum256([]byte(run))
	return hex.EncodeToString(sum[:])
}

// EncodePayload returns payload as compact JSON without HTML escaping.
func EncodePayload(payload any) (json.RawMessage, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(payload); err != nil {
		return nil, fmt.Errorf("encode the payload of a record: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Seal computes the hash of r, whose other members are set and whose payload
// comes from EncodePayload, and appends its line with the newline to buf.
func Seal(buf []byte, r *Record) ([]byte, error) {
	start := len(buf)
	buf = append(buf, `{"seq":`...)
	buf = strconv.AppendInt(buf, r.Seq, 10)
	buf = append(buf, `,"time":"`...)
	buf = r.Time.AppendFormat(buf, time.RFC3339Nano)
	buf = append(buf, `","epoch":`...)
	buf = strconv.AppendInt(buf, r.Epoch, 10)
	kind, err := json.Marshal(r.Kind)
	if err != nil {
		return buf[:start], fmt.Errorf("encode a record's kind: %w", err)
	}
	buf = append(append(buf, `,"kind":`...), kind...)
	buf = append(append(buf, `,"payload":`...), r.Payload...)
	buf = append(append(append(buf, `,"prev":"`...), r.Prev...), `",`...)
	buf = append(buf, hashStart...)
	at := len(buf)
	buf = append(buf, hashEnd...)

	r.Hash = digest(r.Prev, buf[start:])
	buf = append(buf[:at], r.Hash...)
	return append(append(buf, hashEnd...), '\n'), nil
}

// digest hashes prev and the parts of a line whose hash is empty.
func digest(prev string, parts ...[]byte) string {
	h := sha256.New()
	h.Write([]byte(prev))
	for _, p := range parts {
		h.Write(p)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// splitLine returns the part of a line before its hash's digits and the
// digits; ok is false when the line does not end like a record's.
func splitLine(line []byte) (head []byte, hash string, ok bool) {
	tail := len(hashStart) + hashLen + len(hashEnd)
	if len(line) < tail || !bytes.HasSuffix(line, []byte(hashEnd)) {
		return nil, "", false
	}
	at := len(line) - len(hashEnd) - hashLen
	if !bytes.HasSuffix(line[:at], []byte(hashStart)) {
		return nil, "", false
	}
	return line[:at], string(line[at : at+hashLen]), true
}
