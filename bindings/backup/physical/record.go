package physical

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"time"

	"github.com/webhost-systems/drhost/bindings/backup/postgres"
)

// The layout of the log is that of access/xlogrecord.h and xlog_internal.h,
// the same since PostgreSQL 9.5; a page is 8 KiB in every usual build.
const (
	pageSize      = 8192
	shortHeader   = 24
	longHeader    = 40
	recordHeader  = 24
	largestRecord = 1 << 30

	pageContinues   = 0x0001 // its first bytes belong to the record before
	pageLong        = 0x0002
	pageOverwritten = 0x0008 // the record before was given up after a crash

	managerLog         = 0 // RM_XLOG_ID
	managerTransaction = 1 // RM_XACT_ID

	logSwitch       = 0x40
	logRestorePoint = 0x70

	opMask           = 0x70
	opCommit         = 0x00
	opCommitPrepared = 0x30
)

// Record is one entry of the log.
type Record struct {
	At, End postgres.LSN // where it begins, and where the next one would
	XID     uint32
	Commit  time.Time // of a commit, when it was; else zero
	Point   string    // of a named restore point, its name
}

// errEnd tells that no more of the log is there. The last record may be cut off.
var errEnd = errors.New("the log ends here")

// errBroken tells that what is there is no log.
var errBroken = errors.New("this is no record of the log")

// scanner reads the records of a stretch of the log and checks the sum of each.
type scanner struct {
	in   io.Reader
	at   postgres.LSN // of the next byte of in
	page []byte
	pos  int // in page; len(page) when it is used up
	info uint16
	rest uint32 // what the page continues
	size int64  // of a segment
	met  bool   // the first record was found
}

// newScanner reads the log from the beginning of a page on. The first record
// that begins there or later comes first.
func newScanner(in io.Reader, at postgres.LSN, size int64) *scanner {
	return &scanner{in: in, at: at, size: size, page: make([]byte, 0, pageSize)}
}

// turn reads the next page and steps over its header.
func (s *scanner) turn() error {
	s.page, s.pos = s.page[:pageSize], 0
	n, err := io.ReadFull(s.in, s.page)
	s.page = s.page[:n]
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	if n < longHeader {
		s.page = s.page[:0]
		return errEnd
	}
	magic, address := binary.LittleEndian.Uint16(s.page), binary.LittleEndian.Uint64(s.page[8:])
	s.info = binary.LittleEndian.Uint16(s.page[2:])
	s.rest = binary.LittleEndian.Uint32(s.page[16:])
	// 0xD0xx and 0xD1xx: every version since 9.5.
	if magic>>9 != 0xD0>>1 || postgres.LSN(address) != s.at {
		return errBroken
	}
	s.at += postgres.LSN(n)
	s.pos = shortHeader
	if s.info&pageLong != 0 {
		s.pos = longHeader
	}
	return nil
}

// here is the place of the log at which the scanner stands.
func (s *scanner) here() postgres.LSN { return s.at - postgres.LSN(len(s.page)-s.pos) }

// next returns the next record, or errEnd. PostgreSQL would take errBroken for
// the end of the log, too.
func (s *scanner) next() (Record, error) {
	for {
		r, err := s.attempt()
		if err != errGivenUp {
			return r, err
		}
	}
}

// errGivenUp tells that a record was torn by a crash and written over.
var errGivenUp = errors.New("the record was given up")

func (s *scanner) attempt() (Record, error) {
	if err := s.align(); err != nil {
		return Record{}, err
	}
	s.met = true
	r := Record{At: s.here()}
	head := s.page[s.pos:]
	if len(head) < 4 {
		return r, errEnd
	}
	length := binary.LittleEndian.Uint32(head)
	if length < recordHeader || length > largestRecord {
		return r, errBroken
	}
	body, err := s.collect(int(length))
	if err != nil {
		return r, err
	}
	sum := crc32.Update(0, crc32.MakeTable(crc32.Castagnoli), body[recordHeader:])
	sum = crc32.Update(sum, crc32.MakeTable(crc32.Castagnoli), body[:20])
	if sum != binary.LittleEndian.Uint32(body[20:]) {
		return r, errBroken
	}
	s.pos = min(len(s.page), (s.pos+7)&^7)
	r.End = s.here()
	r.XID = binary.LittleEndian.Uint32(body[4:])
	return r, s.read(&r, body)
}

// align goes to where the next record begins. What a page continues is passed
// over when its beginning was not seen.
func (s *scanner) align() error {
	for s.pos >= len(s.page) {
		if err := s.turn(); err != nil {
			return err
		}
		if s.info&pageContinues != 0 {
			if s.met {
				return errBroken // nothing was left to continue
			}
			s.pos = min(len(s.page), s.pos+(int(min(s.rest, pageSize))+7)&^7)
		}
	}
	return nil
}

// collect takes length bytes, over as many pages as they need.
func (s *scanner) collect(length int) ([]byte, error) {
	n := min(length, len(s.page)-s.pos)
	if n == length {
		s.pos += n
		return s.page[s.pos-n : s.pos], nil
	}
	body := append(make([]byte, 0, min(length, 1<<20)), s.page[s.pos:]...)
	for len(body) < length {
		if err := s.turn(); err != nil {
			return nil, err
		}
		if s.info&pageOverwritten != 0 {
			return nil, errGivenUp
		}
		if s.info&pageContinues == 0 || int(s.rest) != length-len(body) {
			return nil, errBroken
		}
		n := min(length-len(body), len(s.page)-s.pos)
		body = append(body, s.page[s.pos:s.pos+n]...)
		s.pos += n
	}
	return body, nil
}

// leave goes to the next segment: what follows a switch is nothing.
func (s *scanner) leave(r *Record) error {
	next := segmentAt(0, r.At, s.size).End(s.size)
	if missing := int64(next - s.at); missing > 0 {
		if _, err := io.CopyN(io.Discard, s.in, missing); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		s.at = next
	}
	s.page, s.pos = s.page[:0], 0
	r.End = next
	return nil
}

// read takes out of a record what a restore asks for.
func (s *scanner) read(r *Record, body []byte) error {
	info, manager := body[16], body[17]
	switch {
	case manager == managerLog && info&0xF0 == logSwitch:
		return s.leave(r)
	case manager == managerLog && info&0xF0 == logRestorePoint:
		if main := mainData(body); len(main) >= 8 {
			r.Point = text(main[8:])
		}
	case manager == managerTransaction && (info&opMask == opCommit || info&opMask == opCommitPrepared):
		if main := mainData(body); len(main) >= 8 {
			r.Commit = postgresTime(int64(binary.LittleEndian.Uint64(main)))
		}
	}
	return nil
}

// mainData is the part of a record that belongs to no block of a table. Of the
// records that are asked for, only commits with a replication origin have
// more than it in front.
func mainData(body []byte) []byte {
	const (
		short, long  = 255, 254
		origin       = 253
		topLevelXact = 252
	)
	for rest := body[recordHeader:]; len(rest) > 1; {
		switch rest[0] {
		case short:
			return tail(rest[2:], int(rest[1]))
		case long:
			if len(rest) < 5 {
				return nil
			}
			return tail(rest[5:], int(binary.LittleEndian.Uint32(rest[1:])))
		case origin:
			rest = rest[min(len(rest), 3):]
		case topLevelXact:
			rest = rest[min(len(rest), 5):]
		default:
			return nil
		}
	}
	return nil
}

func tail(rest []byte, length int) []byte {
	if len(rest) < length {
		return nil
	}
	return rest[len(rest)-length:]
}

func text(b []byte) string {
	if end := bytes.IndexByte(b, 0); end >= 0 {
		b = b[:end]
	}
	return string(b)
}

// postgresTime counts microseconds from the year 2000 on.
func postgresTime(micros int64) time.Time {
	return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(micros) * time.Microsecond)
}
