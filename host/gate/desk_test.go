package gate_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/webhost-systems/drhost/host/approval"
)

// desk is where signed answers lie.
type desk struct {
	mu      sync.Mutex
	answers map[string]string // name -> answer
	key     approvalKey
	names   []string
	refused []string
	looks   int
	late    map[string]string // come at the second look
}

type approvalKey interface {
	sign(q approval.Question, name, answer string) approval.Signed
}

func (d *desk) Names() []string { return d.names }
func (d *desk) Answers(q approval.Question) (out []approval.Signed, refused []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.looks++; d.looks > 1 {
		for name, answer := range d.late {
			d.answers[name] = answer
		}
	}
	for _, name := range d.names {
		if answer := d.answers[name]; answer != "" {
			out = append(out, d.key.sign(q, name, answer))
		}
	}
	return out, d.refused
}

func (d *desk) Check(q approval.Question, s approval.Signed) error {
	if s.Statement.Question != q {
		return errors.New("it answers another question")
	}
	if !slices.Contains(d.names, s.Statement.By) {
		return fmt.Errorf("%s is no approver of drhost.toml", s.Statement.By)
	}
	_, err := s.Verify()
	return err
}

func newDesk(t *testing.T) *desk {
	return &desk{names: []string{"anna", "ben", "carl"}, answers: map[string]string{}, key: newSigner(t)}
}
