package physical

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/bindings/backup/postgres"
	"github.com/webhost-systems/drhost/bindings/backup/store"
	"github.com/webhost-systems/drhost/host/fault"
)

// Log is the archived write-ahead log of one cluster:
//
//	wal/SYSTEM/head.json                                how far it reaches
//	wal/SYSTEM/TIMELINE/SEGMENT.zst                     a whole segment
//	wal/SYSTEM/TIMELINE/0000000100000002.index          what 4 GiB of them are: names, sizes, sums
//	wal/SYSTEM/TIMELINE/SEGMENT.00000000-00012000.zst   bytes of a segment that is not whole yet
//	wal/SYSTEM/TIMELINE/00000002.history.zst            where the timeline comes from
//
// Pieces are joined every so often and go when their segment is whole, so
// there are never many. Concatenated in order, and filled up with zeros, they
// are the segment.
type Log struct {
	Store  store.Store
	System string
	Seal   artifact.Seal
	Keys   artifact.Keys
}

func (l Log) folder() string { return "wal/" + l.System }

func (l Log) timeline(t uint32) string { return fmt.Sprintf("%s/%08X", l.folder(), t) }

// Head is how far a cluster's log reaches in a repository. The archiver that
// writes it is the only one.
type Head struct {
	System      string       `json:"system"`
	SegmentSize int64        `json:"segment_size"`
	Timeline    uint32       `json:"timeline"`
	Position    postgres.LSN `json:"position"` // everything before is durable here
	Until       time.Time    `json:"until"`    // by the server's clock: what had committed by then is durable here
	Behind      int64        `json:"behind"`   // bytes that the server had more
	Updated     time.Time    `json:"updated"`  // by the archiver's clock
	Skew        string       `json:"skew,omitempty"`
	Owner       string       `json:"owner"`
	Server      string       `json:"server"`
	Slot        string       `json:"slot"`
	Stopped     bool         `json:"stopped,omitempty"`
	Alarms      []string     `json:"alarms,omitempty"`
	Gaps        []Gap        `json:"gaps,omitempty"`
	Pieces      []Piece      `json:"pieces,omitempty"` // of the segment that is not whole yet
}

// Gap is a part of the log that is lost for good: what lies behind it needs a
// base backup that was begun behind it.
type Gap struct {
	Timeline uint32       `json:"timeline"`
	From     postgres.LSN `json:"from"`
	To       postgres.LSN `json:"to"`
	Noticed  time.Time    `json:"noticed"`
	Reason   string       `json:"reason"`
}

// Piece is some bytes of a segment.
type Piece struct {
	Segment string          `json:"segment"`
	From    int64           `json:"from"`
	To      int64           `json:"to"`
	Record  artifact.Record `json:"record"`
}

// index lists the segments of one timeline with the same first 16 digits.
type index struct {
	SegmentSize int64             `json:"segment_size"`
	Segments    []artifact.Record `json:"segments"`
}

const indexEnding = ".index"

// bringBackFile is what to do about a file of the archive itself.
const bringBackFile = "bring the file back if the repository keeps older versions; else make a new base backup, and archive into a new repository: the old one still restores base backups whose log this is not"

func (l Log) headName() string { return l.folder() + "/head.json" }

// ReadHead returns nil when nothing was ever archived.
func (l Log) ReadHead(ctx context.Context) (*Head, error) {
	var h Head
	found, err := l.read(ctx, l.headName(), &h)
	if err != nil || !found {
		return nil, err
	}
	if h.System != l.System || h.SegmentSize < 1<<20 || h.SegmentSize > 1<<30 {
		return nil, fault.New(fault.Failed, "%s in %s is damaged: it says neither which cluster it is of nor how far it reaches", l.headName(), l.Store.Place()).WithHint(bringBackFile)
	}
	return &h, nil
}

func (l Log) writeHead(ctx context.Context, h Head) error { return l.write(ctx, l.headName(), h) }

func (l Log) read(ctx context.Context, name string, into any) (bool, error) {
	in, err := l.Store.Open(ctx, name, 0)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer in.Close()
	text, err := io.ReadAll(io.LimitReader(in, 16<<20))
	if err != nil {
		return false, err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return false, fault.New(fault.Failed, "%s in %s is damaged: %v", name, l.Store.Place(), err).WithHint(bringBackFile)
	}
	return true, nil
}

func (l Log) write(ctx context.Context, name string, v any) error {
	text, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return err
	}
	return l.Store.Put(ctx, name, bytes.NewReader(append(text, '\n')))
}

func (l Log) indexName(segment string, timeline uint32) string {
	return l.timeline(timeline) + "/" + segment[:16] + indexEnding
}

// enter adds whole segments of one timeline to its indexes.
func (l Log) enter(ctx context.Context, timeline uint32, size int64, whole []artifact.Record) error {
	grouped := map[string][]artifact.Record{}
	for _, r := range whole {
		name := l.indexName(r.Plain(), timeline)
		grouped[name] = append(grouped[name], r)
	}
	for name, records := range grouped {
		x := index{SegmentSize: size}
		if _, err := l.read(ctx, name, &x); err != nil {
			return err
		}
		for _, r := range records {
			x.Segments = slices.DeleteFunc(x.Segments, func(old artifact.Record) bool { return old.Plain() == r.Plain() })
			x.Segments = append(x.Segments, r)
		}
		slices.SortFunc(x.Segments, func(a, b artifact.Record) int { return strings.Compare(a.Name, b.Name) })
		if err := l.write(ctx, name, x); err != nil {
			return err
		}
	}
	return nil
}

var pieceForm = regexp.MustCompile(`^([0-9A-F]{24})\.([0-9A-F]{8})-([0-9A-F]{8})$`)

func pieceName(segment string, from, to int64) string {
	return fmt.Sprintf("%s.%08X-%08X", segment, from, to)
}

// parsePiece reads a piece's name without the layers' endings.
func parsePiece(plain string) (p Piece, ok bool) {
	m := pieceForm.FindStringSubmatch(plain)
	if m == nil {
		return p, false
	}
	p.Segment = m[1]
	p.From, _ = strconv.ParseInt(m[2], 16, 64)
	p.To, _ = strconv.ParseInt(m[3], 16, 64)
	return p, p.From < p.To
}

// contents is what the repository holds of a cluster's log.
type contents struct {
	head     *Head
	size     int64
	segments map[string]artifact.Record // by name
	unlisted map[string]artifact.Record // those that an index has and the listing had not
	pieces   map[string][]Piece         // by the segment's name; without sums when the head does not know them
	history  map[uint32]artifact.Record
}

// contents lists what there is. What the archiver says that it has stored and
// the listing does not show is asked for by its name: in some places a listing
// lags behind.
func (l Log) contents(ctx context.Context) (*contents, error) {
	c := &contents{segments: map[string]artifact.Record{}, unlisted: map[string]artifact.Record{}, pieces: map[string][]Piece{}, history: map[uint32]artifact.Record{}}
	var err error
	if c.head, err = l.ReadHead(ctx); err != nil {
		return nil, err
	}
	found, err := l.Store.List(ctx, l.folder()+"/")
	if err != nil {
		return nil, err
	}
	known, indexes := map[string]Piece{}, map[string]bool{}
	if h := c.head; h != nil {
		c.size = h.SegmentSize
		for _, p := range h.Pieces {
			known[p.Record.Name] = p
		}
		if h.Position > 0 {
			indexes[l.indexName(segmentAt(h.Timeline, h.Position-1, c.size).Name(c.size), h.Timeline)] = true
		}
	}
	for _, i := range found {
		name := i.Name[strings.LastIndexByte(i.Name, '/')+1:]
		r := recordOf(name, i.Bytes)
		plain := r.Plain()
		switch piece, isPiece := parsePiece(plain); {
		case strings.HasSuffix(name, indexEnding):
			indexes[i.Name] = true
		case isPiece:
			if p, ok := known[name]; ok {
				piece = p
				delete(known, name)
			} else {
				piece.Record = r
			}
			c.pieces[piece.Segment] = append(c.pieces[piece.Segment], piece)
		case strings.HasSuffix(plain, ".history") && len(plain) == len("00000002.history"):
			t, err := strconv.ParseUint(plain[:8], 16, 32)
			if err == nil {
				c.history[uint32(t)] = r
			}
		case segmentName.MatchString(plain):
			c.segments[plain] = r
		}
	}
	for _, p := range known {
		there, err := l.stored(ctx, p.Segment, p.Record)
		if err != nil {
			return nil, err
		}
		if there {
			c.pieces[p.Segment] = append(c.pieces[p.Segment], p)
		}
	}
	return c, l.sum(ctx, c, indexes)
}

// sum gives the segments the sums that the indexes know of them. One that no
// index lists was being stored when the archiver died: it is stored again.
func (l Log) sum(ctx context.Context, c *contents, indexes map[string]bool) error {
	listed := map[string]artifact.Record{}
	for name := range indexes {
		var x index
		if _, err := l.read(ctx, name, &x); err != nil {
			return err
		}
		if c.size == 0 {
			c.size = x.SegmentSize
		}
		for _, r := range x.Segments {
			listed[r.Name] = r
			c.unlisted[r.Plain()] = r
		}
	}
	for plain, r := range c.segments {
		if sums, ok := listed[r.Name]; ok {
			c.segments[plain] = sums
			delete(c.unlisted, plain)
		} else {
			delete(c.segments, plain)
		}
	}
	return nil
}

// segment finds a whole segment by its name. One that an index lists and that
// is gone is a hole.
func (l Log) segment(ctx context.Context, c *contents, name string) (artifact.Record, bool, error) {
	if r, ok := c.segments[name]; ok {
		return r, true, nil
	}
	r, ok := c.unlisted[name]
	if !ok {
		return r, false, nil
	}
	there, err := l.stored(ctx, name, r)
	return r, there, err
}

// stored asks for an object of a segment.
func (l Log) stored(ctx context.Context, segment string, r artifact.Record) (bool, error) {
	_, err := l.Store.Stat(ctx, l.folderOf(segment)+"/"+r.Name)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// recordOf makes a record of an object whose sums nobody wrote down.
func recordOf(name string, bytes int64) artifact.Record {
	r := artifact.Record{Name: name, Bytes: bytes, Unsummed: true}
	if strings.HasSuffix(name, ".age") {
		r.Encryption = "age"
	}
	if strings.HasSuffix(strings.TrimSuffix(name, ".age"), ".zst") {
		r.Compression = "zstd"
	}
	return r
}

// folderOf is where a segment's objects lie.
func (l Log) folderOf(segment string) string { return l.folder() + "/" + segment[:8] }

// HistoryOf reads where a timeline comes from: its ancestors, oldest first.
// The first timeline has none.
func (l Log) historyOf(ctx context.Context, c *contents, timeline uint32) (text string, line Line, err error) {
	line.Timeline = timeline
	if timeline == 1 {
		return "", line, nil
	}
	r, ok := c.history[timeline]
	if !ok {
		return "", line, fault.New(fault.Failed, "%s is not in the archive: where timeline %d comes from is not known", historyName(timeline), timeline).
			WithHint("the server has it in pg_wal; drhost backup archive stores it again, or take a backup that was made on this timeline")
	}
	in, err := artifact.Open(ctx, l.Store, l.timeline(timeline), r, l.Keys)
	if err != nil {
		return "", line, err
	}
	defer in.Close()
	content, err := io.ReadAll(io.LimitReader(in, 1<<20))
	if err != nil {
		return "", line, err
	}
	line.Branches, err = parseHistory(string(content))
	return string(content), line, err
}
