package physical

import (
	"context"
	"slices"
	"strings"

	"github.com/webhost-systems/drhost/bindings/backup/postgres"
	"github.com/webhost-systems/drhost/bindings/backup/store"
)

// Pruned is how much of archived logs is gone, or would be.
type Pruned struct {
	Segments int
	Bytes    int64
}

// PruneLogs removes the segments that no kept base backup needs, the oldest
// first, so that whatever ends it there is no hole. An index goes only when all
// of its segments are gone: the archiver, which may be at work, writes the
// newest one. needs is catalogue.Floors.Needs.
func PruneLogs(ctx context.Context, from store.Store, needs func(system string, timeline uint32, end postgres.LSN) (id string, known bool), dry bool) (out Pruned, err error) {
	systems, err := clusters(ctx, from)
	if err != nil {
		return out, err
	}
	for _, system := range systems {
		if err := (Log{Store: from, System: system}).prune(ctx, needs, dry, &out); err != nil {
			return out, err
		}
	}
	return out, nil
}

func (l Log) prune(ctx context.Context, needs func(string, uint32, postgres.LSN) (string, bool), dry bool, out *Pruned) error {
	have, err := l.contents(ctx)
	if err != nil || have.size == 0 {
		return err
	}
	goes := map[string]bool{}
	for name := range have.segments {
		s, ok := parseSegment(name, have.size)
		if !ok {
			continue
		}
		if id, known := needs(l.System, s.Timeline, s.End(have.size)); known && id == "" {
			goes[name] = true
		}
	}
	var remove []store.Info
	found, err := l.Store.List(ctx, l.folder()+"/")
	if err != nil {
		return err
	}
	for _, i := range found {
		name := i.Name[strings.LastIndexByte(i.Name, '/')+1:]
		plain := recordOf(name, 0).Plain()
		piece, isPiece := parsePiece(plain)
		_, whole := have.segments[piece.Segment]
		// The archiver removes the pieces of a whole segment itself; these were
		// left when it was killed.
		if goes[plain] || isPiece && whole && have.head != nil && !slices.ContainsFunc(have.head.Pieces, func(p Piece) bool { return p.Record.Name == name }) {
			remove = append(remove, i)
		}
	}
	slices.SortFunc(remove, func(a, b store.Info) int { return strings.Compare(a.Name, b.Name) })
	for _, i := range remove {
		if !dry {
			if err := l.Store.Delete(ctx, i.Name); err != nil {
				return err
			}
		}
		out.Segments++
		out.Bytes += i.Bytes
	}
	if dry {
		return nil
	}
	return l.pruneIndexes(ctx, found)
}

// pruneIndexes removes the indexes of which nothing is left, but the newest of
// each timeline.
func (l Log) pruneIndexes(ctx context.Context, found []store.Info) error {
	newest := map[string]string{}
	var indexes []string
	for _, i := range found {
		if strings.HasSuffix(i.Name, indexEnding) {
			indexes = append(indexes, i.Name)
			folder := i.Name[:strings.LastIndexByte(i.Name, '/')]
			newest[folder] = max(newest[folder], i.Name)
		}
	}
	for _, name := range indexes {
		if newest[name[:strings.LastIndexByte(name, '/')]] == name {
			continue
		}
		left, err := l.Store.List(ctx, strings.TrimSuffix(name, indexEnding))
		if err != nil {
			return err
		}
		if len(left) == 1 { // itself
			if err := l.Store.Delete(ctx, name); err != nil {
				return err
			}
		}
	}
	return nil
}
