package backup

import (
	"context"
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

// Contacts are the customers whom a database's loss concerns.
type Contacts struct {
	ID      string              `lua:"id" doc:"The backup whose list it is."`
	Until   time.Time           `lua:"data_until" doc:"Of when it is."`
	Columns []string            `lua:"columns" doc:"Its columns, in their order."`
	Rows    []map[string]string `lua:"rows" doc:"One table for each customer: text by column. What is null is not there."`
}

var contacts = binding.Func[*Client, contactsArgs, Contacts]{
	Name: "contacts", Effect: binding.Reads,
	Doc: "The list of customers that was stored beside a dump, on the dump's own snapshot: it is needed exactly when their database is gone, and needs none. The settings say which query makes it. " +
		"What it returns stands in the run's journal.",
	Raises:  []fault.Kind{fault.NotFound, fault.Denied, fault.Invalid, fault.Failed, fault.Unavailable},
	Example: `backup.contacts { database = "webhost_prod" }`,
	Target:  "database",
	Call:    (*Client).contacts,
}

func (c *Client) contacts(ctx context.Context, a contactsArgs) (Contacts, error) {
	op := "read the list of customers"
	if (a.ID == "") == (a.Database == "") {
		return Contacts{}, fault.New(fault.Invalid, "one of `id` and `database` is needed, and not both")
	}
	engine, done, err := c.opened(ctx)
	if err != nil {
		return Contacts{}, logical.Because(ctx, err, op)
	}
	defer done()
	b, err := withContacts(ctx, engine.Catalogue, a)
	if err != nil {
		return Contacts{}, err
	}
	found, err := engine.ReadContacts(ctx, b)
	if err != nil {
		return Contacts{}, logical.Because(ctx, err, op)
	}
	out := Contacts{ID: b.ID, Until: b.Until, Columns: found.Columns}
	for _, row := range found.Rows {
		plain := map[string]string{}
		for column, text := range row {
			if text != nil {
				plain[column] = *text
			}
		}
		out.Rows = append(out.Rows, plain)
	}
	return out, nil
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
