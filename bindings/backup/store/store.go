// Package store says what a backup repository needs of the place it lies in:
// objects under names, each there whole or not at all. It must never know what
// the objects mean, and never try again by itself what may have happened.
package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// ErrNotFound is the cause of a fault that says that there is no such object.
var ErrNotFound = errors.New("there is no such object")

// ErrExists is the cause of a fault of Create: the object was there before.
var ErrExists = errors.New("the object exists already")

// ErrFull is the cause of a fault that says that the place has no room left.
var ErrFull = errors.New("no space left")

// ErrDenied is the cause of a fault that says that the place refused access.
var ErrDenied = errors.New("access was refused")

// Store keeps objects under slash-separated names. An object is there whole or
// not at all, whatever is killed when. Every error is a *fault.Fault, except
// those that content's own Read returned: they come back as they are.
type Store interface {
	// Put stores content under name and replaces what was there. When it
	// returns nil the object is durable; otherwise the former one, if any, is
	// untouched, unless the answer of a remote place was lost.
	Put(ctx context.Context, name string, content io.Reader) error
	// Create is Put for a name that must be free; of several at once one wins.
	// ErrExists tells that it was taken. Locks and manifests rest on it.
	Create(ctx context.Context, name string, content io.Reader) error
	// Open reads an object from offset on. ErrNotFound when there is none.
	Open(ctx context.Context, name string, offset int64) (io.ReadCloser, error)
	// Stat describes an object. ErrNotFound when there is none.
	Stat(ctx context.Context, name string) (Info, error)
	// List returns the whole objects whose names begin with prefix, sorted by
	// name. A prefix that ends with a slash lists a folder; "" lists all.
	List(ctx context.Context, prefix string) ([]Info, error)
	// Folders returns the names of the folders directly under prefix, which is
	// "" or ends with a slash: "a/" and "b/" are "a" and "b". Sorted.
	Folders(ctx context.Context, prefix string) ([]string, error)
	// Delete removes an object. One that is absent is no error.
	Delete(ctx context.Context, name string) error
	// Sweep removes pieces that uploads which were cut off have left and that
	// no living upload can own: nothing was written to them for so long.
	// It returns how many there were. Objects are never touched.
	Sweep(ctx context.Context, idle time.Duration) (int, error)
	// Place names the repository in messages, without secrets.
	Place() string
	// Close gives connections back.
	Close() error
}

// Info describes an object. Modified is by the clock of the place.
type Info struct {
	Name     string
	Bytes    int64
	Modified time.Time
}

// CheckName refuses names that cannot be kept everywhere: elements that are
// empty or begin with a dot (those are the stores' own), backslashes and
// control characters.
func CheckName(name string) error {
	bad := func(r rune) bool { return r < 0x20 || r == 0x7f || r == '\\' }
	for element := range strings.SplitSeq(name, "/") {
		if element == "" || strings.HasPrefix(element, ".") || strings.ContainsFunc(element, bad) || len(element) > 200 {
			return fmt.Errorf("%q is no name for an object", name)
		}
	}
	return nil
}

// Sorted orders a listing by name.
func Sorted(found []Info) []Info {
	slices.SortFunc(found, func(a, b Info) int { return strings.Compare(a.Name, b.Name) })
	return found
}

// Source reads content for a store: it stops when the context ends, and it
// remembers whether the content itself failed, which a store reports as it is.
type Source struct {
	ctx  context.Context
	from io.Reader
	// Err is what the content's Read returned other than io.EOF.
	Err error
}

// NewSource returns content as a store should read it.
func NewSource(ctx context.Context, content io.Reader) *Source {
	return &Source{ctx: ctx, from: content}
}

// Read reads on until the context ends.
func (s *Source) Read(p []byte) (int, error) {
	if s.Err != nil {
		return 0, s.Err
	}
	if err := s.ctx.Err(); err != nil {
		s.Err = err
		return 0, err
	}
	n, err := s.from.Read(p)
	if err != nil && err != io.EOF {
		s.Err = err
	}
	return n, err
}
