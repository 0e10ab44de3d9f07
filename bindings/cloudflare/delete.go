package cloudflare

import (
	"context"
	"strings"

	cf "github.com/cloudflare/cloudflare-go"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

// Deleted names the record that is gone.
type Deleted struct {
	Zone    string `lua:"zone" doc:"Name of the zone."`
	Name    string `lua:"name" doc:"Whole name, without a final dot."`
	Type    string `lua:"type" doc:"A, AAAA, CNAME, MX, TXT, SRV, CAA, NS, PTR, ..."`
	Content string `lua:"content,optional" doc:"What it answered with; absent when nobody said and the answer to the deletion was lost."`
}

type deleteRecordArgs struct {
	Zone    string `lua:"zone" doc:"Name of the zone."`
	Name    string `lua:"name" doc:"Name: whole, without the zone, or @ for the zone itself."`
	Type    string `lua:"type" enum:"A,AAAA,CAA,CERT,CNAME,DNSKEY,DS,HTTPS,LOC,MX,NAPTR,NS,OPENPGPKEY,PTR,SMIMEA,SRV,SSHFP,SVCB,TLSA,TXT,URI" doc:"Type of the record."`
	Content string `lua:"content,optional" doc:"Content of the record; needed when there are several of that name and type."`
}

var deleteRecord = binding.Func[*Client, deleteRecordArgs, Deleted]{
	Name: "delete_record", Effect: binding.Destroys,
	Doc:  "Delete one DNS record.",
	Says: "delete DNS record {name} {type} {content} of zone {zone}",
	Raises: []fault.Kind{fault.NotFound, fault.Conflict, fault.Denied, fault.RateLimited,
		fault.Unavailable, fault.Timeout},
	Example: `cloudflare.delete_record { zone = "webhost.systems", name = "old", type = "A", content = "203.0.113.10" }`,
	Target:  "name",
	Call:    (*Client).deleteRecord,
	Predict: (*Client).predictDelete,
	Settled: afterGrace((*Client).deleteSettled),
}

// doomed finds the one record that is meant.
func (a deleteRecordArgs) doomed(z Zone, there []Record) (Record, error) {
	name, kind := whole(a.Name, z.Name), strings.ToUpper(a.Type)
	op := say("delete", kind, name)
	if a.Content != "" {
		at := withContent(there, a.Content)
		if at < 0 {
			return Record{}, fault.New(fault.NotFound, "%s has no record of type %s with content %s", name, kind, a.Content).WithOp("%s", op)
		}
		return there[at], nil
	}
	switch len(there) {
	case 0:
		return Record{}, fault.New(fault.NotFound, "%s has no record of type %s", name, kind).WithOp("%s", op)
	case 1:
		return there[0], nil
	}
	return Record{}, ambiguous(op, name, kind, there)
}

func deletedFrom(r Record) Deleted {
	return Deleted{Zone: r.Zone, Name: r.Name, Type: r.Type, Content: r.Content}
}

func (c *Client) deleteRecord(ctx context.Context, a deleteRecordArgs) (Deleted, error) {
	z, there, err := c.present(ctx, a.Zone, a.Name, a.Type)
	if err != nil {
		return Deleted{}, before(err)
	}
	r, err := a.doomed(z, there)
	if err != nil {
		return Deleted{}, err
	}
	if err := c.api.DeleteDNSRecord(ctx, cf.ZoneIdentifier(z.ID), r.ID); err != nil {
		return Deleted{}, c.translate(say("delete", r.Type, r.Name), err)
	}
	return deletedFrom(r), nil
}

func (c *Client) predictDelete(ctx context.Context, a deleteRecordArgs) (Deleted, error) {
	if binding.IsPlanned(a.Zone) || binding.IsPlanned(a.Name) || binding.IsPlanned(a.Content) {
		return Deleted{Zone: a.Zone, Name: whole(a.Name, a.Zone), Type: strings.ToUpper(a.Type), Content: a.Content}, nil
	}
	z, there, err := c.present(ctx, a.Zone, a.Name, a.Type)
	if err != nil {
		return Deleted{}, err
	}
	r, err := a.doomed(z, there)
	return deletedFrom(r), err
}

// deleteSettled says yes when no such record is left: there was one, or the
// deletion would not have been sent.
func (c *Client) deleteSettled(ctx context.Context, a deleteRecordArgs) (binding.Settlement[Deleted], error) {
	z, there, err := c.present(ctx, a.Zone, a.Name, a.Type)
	if err != nil {
		return binding.Settlement[Deleted]{}, err
	}
	if len(there) == 0 || (a.Content != "" && withContent(there, a.Content) < 0) {
		return binding.Settlement[Deleted]{Landed: binding.Yes,
			Result: Deleted{Zone: z.Name, Name: whole(a.Name, z.Name), Type: strings.ToUpper(a.Type), Content: a.Content}}, nil
	}
	return binding.Settlement[Deleted]{Landed: binding.No}, nil
}
