package logical

import (
	"context"
	"encoding/json"
	"errors"
	"io"

	"github.com/jackc/pgx/v5"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/bindings/backup/catalogue"
	"github.com/webhost-systems/drhost/host/fault"
)

// ContactsName is the list of customers beside a dump.
const ContactsName = "contacts.json"

// NoContacts in place of a query says that no list is wanted.
const NoContacts = "none"

// usualContacts makes the query where none is set: of a table customers, what
// it takes to reach somebody and to know what to tell them, and nothing else.
const usualContacts = `select coalesce('select ' || string_agg(quote_ident(attname), ', ' order by attnum) || ' from customers', '') from pg_attribute
	where attrelid = to_regclass('customers') and attnum > 0 and not attisdropped
	and attname in ('id', 'name', 'email', 'phone', 'company', 'plan', 'tier', 'status', 'language', 'region')`

// mostContacts bounds what is kept of a query that was meant otherwise.
const mostContacts = 1_000_000

// Contacts is the list of customers as it was when the dump was taken.
type Contacts struct {
	Columns []string             `json:"columns"`
	Rows    []map[string]*string `json:"rows"`
}

// contacts runs the query on the dump's own snapshot and stores what it finds.
// Without a query of its own, a database without customers has none.
func (e *Engine) contacts(ctx context.Context, tx pgx.Tx, query, folder string) (r artifact.Record, stored bool, err error) {
	if query == NoContacts {
		return r, false, nil
	}
	if query == "" {
		if err := tx.QueryRow(ctx, usualContacts).Scan(&query); err != nil || query == "" {
			return r, false, err
		}
	}
	found, err := ask(ctx, tx, query)
	if err != nil {
		f := fault.New(fault.Invalid, "the query for the contacts cannot be run: %v", err).
			WithHint("`contacts` in the settings of backup.databases; \"none\" stores no list")
		f.Cause = err
		return r, false, f
	}
	r, err = artifact.Write(ctx, e.Catalogue.Store, folder, ContactsName, e.Seal, func(w io.Writer) error { return json.NewEncoder(w).Encode(found) })
	return r, err == nil, err
}

// ask runs a query and keeps what it finds as text. The transaction can only
// read.
func ask(ctx context.Context, tx pgx.Tx, query string) (Contacts, error) {
	rows, err := tx.Query(ctx, query, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		return Contacts{}, err
	}
	defer rows.Close()
	out := Contacts{Rows: []map[string]*string{}}
	for _, d := range rows.FieldDescriptions() {
		out.Columns = append(out.Columns, d.Name)
	}
	for rows.Next() {
		if len(out.Rows) == mostContacts {
			return out, errors.New("it finds more than a million")
		}
		row := map[string]*string{}
		for n, raw := range rows.RawValues() {
			if raw != nil {
				text := string(raw)
				row[out.Columns[n]] = &text
			}
		}
		out.Rows = append(out.Rows, row)
	}
	return out, rows.Err()
}

// ReadContacts reads the list beside a dump. No database is needed.
func (e *Engine) ReadContacts(ctx context.Context, b catalogue.Backup) (out Contacts, err error) {
	f, ok := b.File(ContactsName)
	if !ok {
		return out, fault.New(fault.NotFound, "there is no list of customers beside %s", b.ID).
			WithHint("a database without a table customers needs `contacts` in the settings of backup.databases")
	}
	if err := artifact.Check(ctx, e.Catalogue.Store, b.Folder, f); err != nil {
		return out, err
	}
	in, err := e.open(ctx, b, ContactsName)
	if err != nil {
		return out, err
	}
	defer in.Close()
	if err := json.NewDecoder(in).Decode(&out); err != nil {
		return out, err
	}
	_, err = io.Copy(io.Discard, in)
	return out, err
}
