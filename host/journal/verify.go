package journal

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Tail is what Verify found behind the last whole record.
type Tail struct {
	// Offset is the length in bytes of the whole lines: where the next record
	// belongs.
	Offset int64
	// Torn holds the bytes of a last line without a newline: what a crash in
	// the middle of a write leaves behind. It was never acknowledged as synced.
	Torn []byte
}

// Verify reads the journal of run from r and checks every link of the chain:
// the bytes of each line against its hash, the hash of the line before, the
// sequence and the epochs. Time is not judged: clocks are set back.
//
// A last line without a newline is torn and returned in the tail, not an
// error. Everything else that does not fit is a *DamagedError with its line;
// the records before it are returned with it. Other errors are r's own.
func Verify(run string, r io.Reader) ([]Record, Tail, error) {
	var (
		records []Record
		tail    Tail
		v       = verifier{run: run, prev: Genesis(run)}
		in      = bufio.NewReaderSize(r, 1<<16)
	)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return records, tail, fmt.Errorf("read the journal of %s: %w", run, err)
		}
		if err != nil {
			tail.Torn = line
			return records, tail, v.checkTorn(line)
		}
		rec, err := v.next(line[:len(line)-1])
		if err != nil {
			return records, tail, err
		}
		records = append(records, rec)
		tail.Offset += int64(len(line))
	}
}

// verifier is the state of one walk along a chain.
type verifier struct {
	run   string
	prev  string // hash of the record before
	seq   int64  // its number
	epoch int64
}

// next checks one line, without its newline, and moves on to it.
func (v *verifier) next(line []byte) (Record, error) {
	rec, reason := v.check(line)
	if reason != "" {
		return Record{}, &DamagedError{Path: v.run, Line: int(v.seq) + 1, Reason: reason}
	}
	v.prev, v.seq, v.epoch = rec.Hash, rec.Seq, rec.Epoch
	return rec, nil
}

func (v *verifier) check(line []byte) (Record, string) {
	var rec Record
	head, hash, ok := splitLine(line)
	if !ok {
		return rec, "the line does not end like a record"
	}
	// Bytes are hashed, not a decoded and encoded copy: a copy would forgive
	// changes that JSON does not see.
	if digest(v.prev, head, []byte(hashEnd)) != hash {
		return rec, "the hash does not fit: this line, or one before it, was changed"
	}
	rec, ok = parse(line)
	if !ok {
		rec = Record{}
		if err := json.Unmarshal(line, &rec); err != nil {
			return rec, fmt.Sprintf("the line is no record: %v", err)
		}
	}
	switch {
	case rec.Hash != hash || rec.Prev != v.prev:
		return rec, "the record does not follow the one before it"
	case rec.Seq != v.seq+1:
		return rec, fmt.Sprintf("record %d follows record %d", rec.Seq, v.seq)
	case rec.Epoch < v.epoch || rec.Epoch < 1:
		return rec, fmt.Sprintf("epoch %d follows epoch %d: two holders wrote at once", rec.Epoch, v.epoch)
	case rec.Kind == "":
		return rec, "the record has no kind"
	}
	return rec, ""
}

// checkTorn tells a torn line from a whole one whose newline was changed: a
// write that is cut off never leaves more than the record.
func (v *verifier) checkTorn(line []byte) error {
	if len(line) == 0 {
		return nil
	}
	if _, reason := v.check(line[:len(line)-1]); reason == "" {
		return &DamagedError{Path: v.run, Line: int(v.seq) + 1, Reason: "the newline after the record was changed"}
	}
	return nil
}
