package cloudflare

import (
	"context"
	"strings"

	cf "github.com/cloudflare/cloudflare-go"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

type setRecordArgs struct {
	Zone     string   `lua:"zone" doc:"Name of the zone."`
	Name     string   `lua:"name" doc:"Name: whole, without the zone, or @ for the zone itself."`
	Type     string   `lua:"type" enum:"A,AAAA,CAA,CERT,CNAME,DNSKEY,DS,HTTPS,LOC,MX,NAPTR,NS,OPENPGPKEY,PTR,SMIMEA,SRV,SSHFP,SVCB,TLSA,TXT,URI" default:"A" doc:"Type of the record."`
	Content  string   `lua:"content" doc:"Address, name or text to answer with."`
	TTL      *int     `lua:"ttl" doc:"Seconds that it may be remembered, 60 to 86400; 1 means automatic. Kept when absent; 1 for a new record."`
	Proxied  *bool    `lua:"proxied" doc:"Whether Cloudflare shall answer with addresses of its own. Kept when absent; false for a new record."`
	Priority *int     `lua:"priority" doc:"Of MX and SRV records."`
	Tags     []string `lua:"tags,optional" doc:"Tags to keep with the record, such as team:ops. Kept when absent."`
	Comment  string   `lua:"comment,optional" doc:"Note to keep with the record when it is created or changed."`
}

var setRecord = binding.Func[*Client, setRecordArgs, Change]{
	Name: "set_record", Effect: binding.Mutates,
	Doc: "Make a name answer with a value: create the record or change the one that is there. Nothing is sent when it is right already (changed = false). " +
		"Several records of that name and type are a conflict, unless one of them has the content already.",
	Says: "point DNS record {name} {type} of zone {zone} to {content}",
	Raises: []fault.Kind{fault.NotFound, fault.Conflict, fault.Invalid, fault.Denied, fault.RateLimited,
		fault.Unavailable, fault.Timeout},
	Example: `cloudflare.set_record { zone = "webhost.systems", name = "hobby", type = "A", content = "203.0.113.11", ttl = 60 }`,
	Target:  "name",
	Call:    (*Client).setRecord,
	Predict: (*Client).predictSet,
	Settled: afterGrace((*Client).setSettled),
}

func (c *Client) setRecord(ctx context.Context, a setRecordArgs) (Change, error) {
	z, there, err := c.present(ctx, a.Zone, a.Name, a.Type)
	if err != nil {
		return Change{}, before(err)
	}
	if len(there) == 0 {
		return c.create(ctx, z, a.asCreate())
	}
	at, err := a.pick(z, there)
	if err != nil {
		return Change{}, err
	}
	if a.met(there[at]) {
		return a.finished(there, at, false), nil
	}
	change, err := c.alter(ctx, z, there[at], a)
	if err != nil {
		return Change{}, err
	}
	change.Others = contents(there, at)
	return change, nil
}

// alter sends the one request that changes a record. Tags go along, because
// the vendor's client would empty them.
func (c *Client) alter(ctx context.Context, z Zone, r Record, a setRecordArgs) (Change, error) {
	params := cf.UpdateDNSRecordParams{ID: r.ID, Type: r.Type, Name: r.Name, Content: a.Content, TTL: r.TTL, Proxied: &r.Proxied, Tags: r.Tags}
	if a.TTL != nil {
		params.TTL = *a.TTL
	}
	if a.Proxied != nil {
		params.Proxied = a.Proxied
	}
	if len(a.Tags) > 0 {
		params.Tags = a.Tags
	}
	if a.Comment != "" {
		params.Comment = &a.Comment
	}
	if a.Priority != nil {
		priority, err := priorityOf(*a.Priority)
		if err != nil {
			return Change{}, err
		}
		params.Priority = &priority
	}
	data, err := structured(r.Type, a.Content, a.Priority)
	if err != nil {
		return Change{}, err
	}
	if data != nil {
		params.Data, params.Content = data, ""
	}
	changed, err := c.api.UpdateDNSRecord(ctx, cf.ZoneIdentifier(z.ID), params)
	if err != nil {
		return Change{}, c.translate(say("change", r.Type, r.Name), err)
	}
	return changeOf(recordFrom(z, changed), true, r.Content), nil
}

// pick chooses the record that is meant: the one there is, or the one that has
// the content already.
func (a setRecordArgs) pick(z Zone, there []Record) (int, error) {
	if at := withContent(there, a.Content); at >= 0 {
		return at, nil
	}
	if len(there) > 1 {
		name := whole(a.Name, z.Name)
		return 0, ambiguous(say("set", a.Type, name), name, strings.ToUpper(a.Type), there)
	}
	return 0, nil
}

// met tells whether a record is as asked. A comment alone is no reason to
// change one, and the TTL of a proxied record is always automatic.
func (a setRecordArgs) met(r Record) bool {
	proxied := r.Proxied
	if a.Proxied != nil {
		proxied = *a.Proxied
	}
	return sameContent(r.Type, r.Content, a.Content) && proxied == r.Proxied &&
		(a.TTL == nil || *a.TTL == r.TTL || proxied) &&
		(a.Priority == nil || *a.Priority == r.Priority) && (len(a.Tags) == 0 || sameTags(a.Tags, r.Tags))
}

func (a setRecordArgs) finished(there []Record, at int, changed bool) Change {
	change := changeOf(there[at], changed, "")
	change.Others = contents(there, at)
	return change
}

func (a setRecordArgs) asCreate() createRecordArgs {
	out := createRecordArgs{Zone: a.Zone, Name: a.Name, Type: a.Type, Content: a.Content, TTL: 1, Priority: a.Priority, Comment: a.Comment, Tags: a.Tags}
	if a.TTL != nil {
		out.TTL = *a.TTL
	}
	if a.Proxied != nil {
		out.Proxied = *a.Proxied
	}
	return out
}

func (c *Client) predictSet(ctx context.Context, a setRecordArgs) (Change, error) {
	n := a.asCreate()
	fresh := foretold(n.Zone, n.Name, n.Type, n.Content, n.TTL, n.Proxied, n.Comment)
	if binding.IsPlanned(a.Zone) || binding.IsPlanned(a.Name) {
		return fresh, nil
	}
	z, there, err := c.present(ctx, a.Zone, a.Name, a.Type)
	if err != nil {
		return Change{}, err
	}
	if len(there) == 0 {
		return fresh, nil
	}
	at, err := a.pick(z, there)
	if err != nil {
		return Change{}, err
	}
	if a.met(there[at]) {
		return a.finished(there, at, false), nil
	}
	return a.foretellChange(there, at), nil
}

// foretellChange is what alter would leave of a record.
func (a setRecordArgs) foretellChange(there []Record, at int) Change {
	r := there[at]
	was := r.Content
	r.Content = a.Content
	if a.TTL != nil {
		r.TTL = *a.TTL
	}
	if a.Proxied != nil {
		r.Proxied = *a.Proxied
	}
	if r.Proxied {
		r.TTL = 1
	}
	if a.Comment != "" {
		r.Comment = a.Comment
	}
	change := changeOf(r, true, was)
	change.Others = contents(there, at)
	return change
}

// setSettled compares what is there with what was asked. Sending it again is
// harmless, because set_record looks first.
func (c *Client) setSettled(ctx context.Context, a setRecordArgs) (binding.Settlement[Change], error) {
	_, there, err := c.present(ctx, a.Zone, a.Name, a.Type)
	if err != nil {
		return binding.Settlement[Change]{}, err
	}
	if at := withContent(there, a.Content); at >= 0 && a.met(there[at]) {
		return binding.Settlement[Change]{Landed: binding.Yes, Result: a.finished(there, at, true)}, nil
	}
	return binding.Settlement[Change]{Landed: binding.No}, nil
}
