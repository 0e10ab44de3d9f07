package tree

import (
	"context"
	"slices"
	"strings"

	"github.com/webhost-systems/drhost/host/binding"
)

// scanned is a tree as it was found.
type scanned struct {
	entries []Entry // sorted by path; a folder comes before what is in it
	ignored int     // devices, pipes and sockets
}

// scan lists a tree. What vanishes meanwhile is not in it.
func scan(ctx context.Context, from Place) (scanned, error) {
	root, err := from.Root()
	if err != nil {
		return scanned{}, err
	}
	out := scanned{entries: []Entry{root}}
	for todo := []string{"."}; len(todo) > 0; {
		if err := ctx.Err(); err != nil {
			return out, err
		}
		folder := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		found, ignored, err := from.List(folder)
		if isNotExist(err) {
			continue
		}
		if err != nil {
			return out, err
		}
		out.ignored += ignored
		for _, e := range found {
			if strings.HasPrefix(e.Path[strings.LastIndexByte(e.Path, '/')+1:], ".drhost-") && strings.HasSuffix(e.Path, ".part") {
				continue // a restore's own
			}
			if e.Type == Folder {
				todo = append(todo, e.Path)
			}
			out.entries = append(out.entries, e)
		}
		if n := len(out.entries); n/5000 != (n-len(found))/5000 {
			binding.Progress(ctx, "%d files and folders so far", n)
		}
	}
	slices.SortFunc(out.entries, byPath)
	out.link()
	return out, nil
}

// byPath puts the root first, and a folder before what is in it.
func byPath(a, b Entry) int {
	switch {
	case a.Path == b.Path:
		return 0
	case a.Path == ".":
		return -1
	case b.Path == ".":
		return 1
	}
	return strings.Compare(a.Path, b.Path)
}

// link makes further names of a file hard links to the first.
func (s *scanned) link() {
	type inode struct{ device, ino uint64 }
	first := map[inode]string{}
	for n := range s.entries {
		e := &s.entries[n]
		if e.Type != File || e.links < 2 {
			continue
		}
		of := inode{e.device, e.ino}
		if name, ok := first[of]; ok {
			e.Type, e.Link, e.Size = HardLink, name, 0
			continue
		}
		first[of] = e.Path
	}
}
