package approval

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// folderName is where a run keeps the answers, in its own folder.
const folderName = "approvals"

// largest is how many bytes of an answer are read.
const largest = 1 << 20

// Folder is where the answers to a run's questions are laid down:
// <run>/approvals/<id of the question>/<name>.json.
type Folder struct {
	Run       string // the run's folder
	Approvers []Approver
}

func (f Folder) of(q Question) string { return filepath.Join(f.Run, folderName, q.ID()) }

// Write lays an answer down, atomically; an earlier one of the same person is
// replaced.
func (f Folder) Write(s Signed) (path string, err error) {
	dir := f.of(s.Statement.Question)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("write the answer: %w", err)
	}
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return "", fmt.Errorf("write the answer: %w", err)
	}
	path = filepath.Join(dir, s.Statement.By+".json")
	fresh, err := os.CreateTemp(dir, ".answer-*")
	if err != nil {
		return "", fmt.Errorf("write the answer: %w", err)
	}
	_, err = fresh.Write(append(text, '\n'))
	if err == nil {
		err = fresh.Sync()
	}
	if err = errors.Join(err, fresh.Close()); err == nil {
		err = os.Rename(fresh.Name(), path)
	}
	if err != nil {
		return "", fmt.Errorf("write the answer: %w", errors.Join(err, os.Remove(fresh.Name())))
	}
	return path, nil
}

// Answers returns the answers to q that hold: signed with the key that the
// configuration gives for that person, over this question. They are ordered
// by the time at which they were given. Others are not counted; refused says
// why, a sentence each.
func (f Folder) Answers(q Question) (answers []Signed, refused []string) {
	entries, err := os.ReadDir(f.of(q))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, []string{err.Error()}
	}
	for _, e := range entries {
		name, isAnswer := strings.CutSuffix(e.Name(), ".json")
		if !isAnswer || strings.HasPrefix(name, ".") {
			continue
		}
		s, err := f.read(q, filepath.Join(f.of(q), e.Name()))
		if err != nil {
			refused = append(refused, fmt.Sprintf("the answer in %s does not count: %v", e.Name(), err))
			continue
		}
		answers = append(answers, s)
	}
	sort.SliceStable(answers, func(i, j int) bool { return answers[i].Statement.At.Before(answers[j].Statement.At) })
	return oncePerPerson(answers), refused
}

// oncePerPerson drops copies of a person's answer under other file names; a
// denial counts for more than an approval.
func oncePerPerson(answers []Signed) []Signed {
	denied := map[string]bool{}
	for _, s := range answers {
		denied[s.Statement.By] = denied[s.Statement.By] || s.Statement.Answer == Denied
	}
	seen := map[string]bool{}
	var out []Signed
	for _, s := range answers {
		by := s.Statement.By
		if seen[by] || denied[by] && s.Statement.Answer != Denied {
			continue
		}
		seen[by] = true
		out = append(out, s)
	}
	return out
}

func (f Folder) read(q Question, path string) (Signed, error) {
	var s Signed
	info, err := os.Stat(path)
	if err != nil {
		return s, err
	}
	if !info.Mode().IsRegular() || info.Size() > largest {
		return s, errors.New("it is no file, or too large for an answer")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return s, err
	}
	return s, f.Check(q, s)
}

// Check tells why s does not count as an answer to q; nil: it does.
func (f Folder) Check(q Question, s Signed) error {
	if s.Statement.Question != q {
		return errors.New("it answers another question")
	}
	key, err := s.Verify()
	if err != nil {
		return err
	}
	a := Find(f.Approvers, s.Statement.By)
	if a == nil {
		return fmt.Errorf("%s is no approver of drhost.toml", s.Statement.By)
	}
	if Line(a.Key) != Line(key) {
		return fmt.Errorf("it is signed with %s, and the key of %s is %s", Fingerprint(key), a.Name, Fingerprint(a.Key))
	}
	return nil
}
