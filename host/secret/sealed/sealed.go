// Package sealed keeps credentials in a folder, each in a file that age has
// encrypted, for the day on which the vault itself is down. It must never
// write a credential in the clear, never put one into an error, and never
// leave half a file where there was a whole one.
//
// A file is NAME.age, in age's armored text form: it may be committed, mailed
// and printed, and `age --decrypt -i IDENTITY NAME.age` opens it without
// drhost. The format is that of https://age-encryption.org/v1.
package sealed

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"time"

	"filippo.io/age"
	"filippo.io/age/armor"

	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/secret"
)

const (
	extension = ".age"
	// longest is how many bytes a credential may have: a key, not an image.
	longest = 1 << 20
	// longestFile leaves room for recipients and for armor.
	longestFile = 2*longest + 1<<16
)

var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

// BadName tells what is wrong with a name; empty when nothing is. It does not
// repeat the name, which may be a credential in the wrong place.
func BadName(name string) string {
	if nameForm.MatchString(name) {
		return ""
	}
	return "the name of a sealed credential has letters, digits, dots, dashes and underscores, and begins with a letter or a digit"
}

// Folder is where sealed credentials are kept.
type Folder struct{ Path string }

// UnknownError says that nothing is sealed under a name.
type UnknownError struct {
	Name, Folder string
	Known        []string
}

func (e *UnknownError) Error() string {
	return fmt.Sprintf("there is no sealed credential %q in %s", e.Name, e.Folder)
}

// ExistsError says that a name is taken.
type ExistsError struct{ Name, Path string }

func (e *ExistsError) Error() string {
	return fmt.Sprintf("%s: %q is sealed already", e.Path, e.Name)
}

// Entry is one sealed credential, as far as can be said without opening it.
type Entry struct {
	Name    string    `json:"name"`
	Path    string    `json:"path"`
	Sealed  time.Time `json:"sealed,omitzero"`   // when the file was written
	To      []string  `json:"to"`                // what opens it, in age's words: X25519, ssh-ed25519, scrypt
	Problem string    `json:"problem,omitempty"` // why it cannot be used
}

// Passphrase tells whether it is a passphrase that opens the entry.
func (e Entry) Passphrase() bool { return len(e.To) == 1 && e.To[0] == "scrypt" }

func (f Folder) file(name string) string { return filepath.Join(f.Path, name+extension) }

// Seal encrypts value for lock and keeps it as name. It returns *ExistsError
// when the name is taken, unless it is to be replaced. The file appears whole
// or not at all, with rights 0600.
func (f Folder) Seal(name string, value secret.Value, lock Lock, replace bool) error {
	if why := BadName(name); why != "" {
		return fault.New(fault.Invalid, "%s", why)
	}
	if value.Empty() {
		return fault.New(fault.Invalid, "there is nothing to seal: the value is empty")
	}
	if len(value.Reveal()) > longest {
		return fault.New(fault.Invalid, "the value is too large for a credential: more than %d bytes", longest)
	}
	if _, err := os.Lstat(f.file(name)); err == nil && !replace {
		return &ExistsError{name, f.file(name)}
	}
	text, err := lock.encrypt(value)
	if err != nil {
		return fmt.Errorf("seal %s: %w", name, err)
	}
	if err := os.MkdirAll(f.Path, 0o700); err != nil {
		return fmt.Errorf("seal %s: %w", name, err)
	}
	if err := writeWhole(f.Path, name+extension, text); err != nil {
		return fmt.Errorf("seal %s: %w", name, err)
	}
	return nil
}

// writeWhole puts text under name by renaming, synced before and after.
func writeWhole(dir, name string, text []byte) (err error) {
	tmp, err := os.CreateTemp(dir, "."+name+".*") // rights 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(tmp.Name())
		}
	}()
	_, err = tmp.Write(text)
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	if err = os.Rename(tmp.Name(), filepath.Join(dir, name)); err != nil {
		return err
	}
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// List returns what is sealed, by name. A folder that does not exist holds
// nothing.
func (f Folder) List() ([]Entry, error) {
	names, err := f.names()
	if err != nil {
		return nil, fmt.Errorf("list sealed credentials: %w", err)
	}
	list := make([]Entry, 0, len(names))
	for _, name := range names {
		e := Entry{Name: name, Path: f.file(name), To: []string{}}
		if info, err := os.Stat(e.Path); err == nil {
			e.Sealed = info.ModTime()
		}
		text, err := f.read(name)
		if err == nil {
			e.To, err = stanzas(text)
		}
		if err != nil {
			e.Problem = fault.As(err).Message
		}
		list = append(list, e)
	}
	return list, nil
}

func (f Folder) names() ([]string, error) {
	files, err := os.ReadDir(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, file := range files {
		name, ok := strings.CutSuffix(file.Name(), extension)
		if ok && BadName(name) == "" && !file.IsDir() {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names, err
}

// read returns the file of name: *UnknownError when there is none.
func (f Folder) read(name string) ([]byte, error) {
	if why := BadName(name); why != "" {
		return nil, fault.New(fault.Invalid, "%s", why)
	}
	file, err := os.Open(f.file(name))
	if errors.Is(err, fs.ErrNotExist) {
		known, _ := f.names() // only for a suggestion
		return nil, &UnknownError{name, f.Path, known}
	}
	if err != nil {
		return nil, fault.New(fault.Invalid, "the sealed credential %q cannot be read: %v", name, errors.Unwrap(err))
	}
	defer file.Close() // read-only: nothing can be lost here
	text, err := io.ReadAll(io.LimitReader(file, longestFile+1))
	if err != nil {
		return nil, fault.New(fault.Invalid, "the sealed credential %q cannot be read: %v", name, errors.Unwrap(err))
	}
	if len(text) > longestFile {
		return nil, fault.New(fault.Invalid, "the sealed credential %q is too large: more than %d bytes", name, longestFile)
	}
	return text, nil
}

// ciphertext is the file without armor, if it has one: files made by hand may
// be binary.
func ciphertext(text []byte) io.Reader {
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte(armor.Header)) {
		return armor.NewReader(bytes.NewReader(text))
	}
	return bytes.NewReader(text)
}

// stanzas are the kinds of what opens a file, out of its header.
func stanzas(text []byte) ([]string, error) {
	header, err := age.ExtractHeader(ciphertext(text))
	if err != nil {
		return nil, fault.New(fault.Invalid, "damaged: the file is torn, or it is none of age's")
	}
	var kinds []string
	for line := range strings.Lines(string(header)) {
		rest, ok := strings.CutPrefix(line, "-> ")
		kind, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
		if ok && !strings.HasSuffix(kind, "-grease") { // padding that other programs add
			kinds = append(kinds, kind)
		}
	}
	return kinds, nil
}
