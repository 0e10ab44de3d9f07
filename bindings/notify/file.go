package notify

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/webhost-systems/drhost/host/fault"
)

// appendTo adds a message as one line and syncs it. A message that is there
// already is not added again; a torn last line is left alone on its own line.
func (c *Client) appendTo(path string, m message) error {
	c.files.Lock()
	defer c.files.Unlock()
	if found, err := holds(path, m.ID); err != nil || found {
		return broken(err)
	}
	line, err := json.Marshal(m)
	if err != nil {
		return broken(err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return broken(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return broken(err)
	}
	torn, err := endsTorn(f)
	if torn {
		line = append([]byte("\n"), line...)
	}
	if err == nil {
		_, err = f.Write(append(line, '\n'))
	}
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	return broken(err)
}

func endsTorn(f *os.File) (bool, error) {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return false, err
	}
	last := make([]byte, 1)
	_, err = f.ReadAt(last, info.Size()-1)
	return last[0] != '\n', err
}

// holds tells whether the message with this id is in the file.
func holds(path, id string) (bool, error) {
	if id == "" {
		return false, nil
	}
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	lines := bufio.NewReader(f)
	for {
		line, err := lines.ReadBytes('\n')
		if bytes.Contains(line, []byte(id)) {
			var m message
			if json.Unmarshal(line, &m) == nil && m.ID == id {
				return true, nil
			}
		}
		if err == io.EOF {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
}

// broken is the fault of a file that cannot be written; nil stays nil.
func broken(err error) error {
	if err == nil {
		return nil
	}
	kind := fault.Unavailable
	if errors.Is(err, syscall.ENOSPC) {
		kind = fault.Exhausted
	}
	f := fault.New(kind, "the file cannot be written: %v", err).NothingDone()
	f.Transient = false
	return f
}
