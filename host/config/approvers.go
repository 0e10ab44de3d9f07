package config

import (
	"strings"

	"github.com/webhost-systems/drhost/host/approval"
)

// checkApprovers sees that each approver is one person with one key: two names
// for one key, or two keys for one name, would let one person be two.
func (c *Config) checkApprovers() []*Error {
	var mistakes []*Error
	names, keys := map[string]bool{}, map[string]string{}
	for i, a := range c.Approvers {
		path := []string{"approvers", index(i)}
		if !approval.ValidName(a.Name) {
			mistakes = append(mistakes, c.wrong(path, "an approver needs a name of letters, digits, blanks, dots, dashes, not %q", a.Name))
			continue
		}
		if names[strings.ToLower(a.Name)] {
			mistakes = append(mistakes, c.wrong(path, "there are two approvers called %q", a.Name))
		}
		names[strings.ToLower(a.Name)] = true
		key, err := approval.ParseKey(a.Key)
		if err != nil {
			mistakes = append(mistakes, c.wrong(path, "the key of approver %q: %v", a.Name, err))
			continue
		}
		if other := keys[approval.Line(key)]; other != "" {
			mistakes = append(mistakes, c.wrong(path, "%q and %q have the same key; they would be one person", other, a.Name))
		}
		keys[approval.Line(key)] = a.Name
	}
	return mistakes
}

// Signers are the approvers with their keys, in the file's order.
func (c *Config) Signers() []approval.Approver {
	var out []approval.Approver
	for _, a := range c.Approvers {
		if key, err := approval.ParseKey(a.Key); err == nil { // checked when the file was read
			out = append(out, approval.Approver{Name: a.Name, Key: key})
		}
	}
	return out
}
