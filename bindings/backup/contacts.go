package backup

import (
	"context"
	"encoding/json"
	"time"

	"github.com/webhost-systems/drhost/bindings/backup/catalogue"
	"github.com/webhost-systems/drhost/bindings/backup/logical"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

type contactsArgs struct {
	ID       string `lua:"id,optional" doc:"Dump whose list it is; the newest one of the database that has a list when not given."`
	Database string `lua:"database,optional" doc:"Database whose customers they are."`
}

// Contacts tell of a list of customers without holding it: what a function
// returns stands in the run's journal, and personal data must not.
type Contacts struct {
	ID      string    `lua:"id" doc:"The backup whose list it is."`
	Until   time.Time `lua:"data_until" doc:"Of when it is."`
	Columns []string  `lua:"columns" doc:"Its columns, in their order."`
	Count   int       `lua:"count" doc:"How many customers it lists."`
	SHA256  string    `lua:"sha256" doc:"Checksum of the list, unpacked: two calls that agree in it found the same list."`
}

var contacts = binding.Func[*Client, contactsArgs, Contacts]{
	Name: "contacts", Effect: binding.Reads,
	Doc: "Read the list of customers that was stored beside a dump, on the dump's own snapshot: it is needed exactly when their database is gone, and needs none. The settings say which query makes it. " +
		"It is personal data, so that a runbook, whose calls are journaled, learns how many there are and that the list can be read; `drhost backup contacts` prints it.",
	Raises:  []fault.Kind{fault.NotFound, fault.Denied, fault.Invalid, fault.Failed, fault.Unavailable},
	Example: `backup.contacts { database = "webhost_prod" }`,
	Target:  "database",
	Call: func(c *Client, ctx context.Context, a contactsArgs) (Contacts, error) {
		b, found, err := c.contacts(ctx, a)
		if err != nil {
			return Contacts{}, err
		}
		out := Contacts{ID: b.ID, Until: b.Until, Columns: found.Columns, Count: len(found.Rows)}
		r, _ := b.File(logical.ContactsName)
		if out.SHA256 = r.PlainSHA256; out.SHA256 == "" { // stored as it is
			out.SHA256 = r.SHA256
		}
		return out, nil
	},
}

// showContacts hands the list itself, as JSON, to the command line. A service
// is not journaled.
func showContacts() *binding.Service {
	return binding.Serve("contacts", "Print the list of customers that was stored beside a dump.",
		"drhost backup contacts --database webhost_prod", func(c *Client, ctx context.Context, a contactsArgs, say binding.Say) error {
			b, found, err := c.contacts(ctx, a)
			if err != nil {
				return err
			}
			text, err := json.Marshal(map[string]any{"id": b.ID, "data_until": b.Until.UTC().Format(time.RFC3339), "columns": found.Columns, "rows": found.Rows})
			if err != nil {
				return err
			}
			say(false, string(text))
			return nil
		})
}

func (c *Client) contacts(ctx context.Context, a contactsArgs) (catalogue.Backup, logical.Contacts, error) {
	op := "read the list of customers"
	if (a.ID == "") == (a.Database == "") {
		return catalogue.Backup{}, logical.Contacts{}, fault.New(fault.Invalid, "one of `id` and `database` is needed, and not both")
	}
	engine, done, err := c.opened(ctx)
	if err != nil {
		return catalogue.Backup{}, logical.Contacts{}, logical.Because(ctx, err, op)
	}
	defer done()
	b, err := withContacts(ctx, engine.Catalogue, a)
	if err != nil {
		return b, logical.Contacts{}, err
	}
	found, err := engine.ReadContacts(ctx, b)
	if err != nil {
		return b, found, logical.Because(ctx, err, op)
	}
	return b, found, nil
}

// withContacts finds the backup. One whose dump is damaged still serves: its
// list has a checksum of its own.
func withContacts(ctx context.Context, at *catalogue.Catalogue, a contactsArgs) (catalogue.Backup, error) {
	if a.ID != "" {
		return at.Find(ctx, a.ID)
	}
	all, _, err := at.All(ctx)
	if err != nil {
		return catalogue.Backup{}, err
	}
	var others []string
	for _, b := range all {
		if _, ok := b.File(logical.ContactsName); !ok {
			continue
		}
		if b.Subject == a.Database {
			return b, nil
		}
		others = append(others, b.Subject)
	}
	return catalogue.Backup{}, fault.New(fault.NotFound, "no dump of %q in %s has a list of customers beside it", a.Database, at.Store.Place()).WithHint("%s", near(a.Database, others))
}
