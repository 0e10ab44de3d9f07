package cloudflare

import (
	"context"
	"strings"

	cf "github.com/cloudflare/cloudflare-go"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

type createRecordArgs struct {
	Zone     string   `lua:"zone" doc:"Name of the zone."`
	Name     string   `lua:"name" doc:"Name: whole, without the zone, or @ for the zone itself."`
	Type     string   `lua:"type" enum:"A,AAAA,CAA,CERT,CNAME,DNSKEY,DS,HTTPS,LOC,MX,NAPTR,NS,OPENPGPKEY,PTR,SMIMEA,SRV,SSHFP,SVCB,TLSA,TXT,URI" default:"A" doc:"Type of the record."`
	Content  string   `lua:"content" doc:"Address, name or text to answer with."`
	TTL      int      `lua:"ttl" default:"1" doc:"Seconds that it may be remembered, 60 to 86400; 1 means automatic."`
	Proxied  bool     `lua:"proxied" default:"false" doc:"Whether Cloudflare shall answer with addresses of its own and pass requests on."`
	Priority *int     `lua:"priority" doc:"Of MX and SRV records."`
	Tags     []string `lua:"tags,optional" doc:"Tags to keep with the record, such as team:ops."`
	Comment  string   `lua:"comment,optional" doc:"Note to keep with the record; the key of the call is appended."`
}

var createRecord = binding.Func[*Client, createRecordArgs, Change]{
	Name: "create_record", Effect: binding.Mutates,
	Doc:  "Create a DNS record beside those that are there. To make a name answer with one value use set_record.",
	Says: "create DNS record {name} {type} {content} in zone {zone}",
	Raises: []fault.Kind{fault.NotFound, fault.Conflict, fault.Invalid, fault.Denied, fault.RateLimited,
		fault.Unavailable, fault.Timeout},
	Example: `cloudflare.create_record { zone = "webhost.systems", name = "hobby", type = "A", content = "203.0.113.10", ttl = 60 }`,
	Target:  "name",
	Call:    (*Client).createRecord,
	Predict: (*Client).predictCreate,
	Settled: afterGrace((*Client).createSettled),
}

func (c *Client) createRecord(ctx context.Context, a createRecordArgs) (Change, error) {
	z, err := c.known(ctx, a.Zone)
	if err != nil {
		return Change{}, before(err)
	}
	return c.create(ctx, z, a)
}

// create sends the one request that makes a record.
func (c *Client) create(ctx context.Context, z Zone, a createRecordArgs) (Change, error) {
	name := whole(a.Name, z.Name)
	params := cf.CreateDNSRecordParams{Type: strings.ToUpper(a.Type), Name: name, Content: a.Content, TTL: a.TTL,
		Proxied: &a.Proxied, Comment: signed(ctx, a.Comment), Tags: a.Tags}
	if a.Priority != nil {
		priority, err := priorityOf(*a.Priority)
		if err != nil {
			return Change{}, err
		}
		params.Priority = &priority
	}
	data, err := structured(a.Type, a.Content, a.Priority)
	if err != nil {
		return Change{}, err
	}
	if data != nil {
		params.Data, params.Content = data, ""
	}
	made, err := c.api.CreateDNSRecord(ctx, cf.ZoneIdentifier(z.ID), params)
	if err != nil {
		return Change{}, c.translate(say("create", a.Type, name), err)
	}
	return changeOf(recordFrom(z, made), true, ""), nil
}

func priorityOf(n int) (uint16, error) {
	if n < 0 || n > 65535 {
		return 0, fault.New(fault.Invalid, "priority %d is not between 0 and 65535", n)
	}
	return uint16(n), nil
}

func (c *Client) predictCreate(ctx context.Context, a createRecordArgs) (Change, error) {
	change := foretold(a.Zone, a.Name, a.Type, a.Content, a.TTL, a.Proxied, a.Comment)
	if binding.IsPlanned(a.Zone) || binding.IsPlanned(a.Name) {
		return change, nil
	}
	z, err := c.known(ctx, a.Zone)
	if err != nil {
		return Change{}, err
	}
	there, err := c.list(ctx, z, a.Name, a.Type)
	if err != nil {
		return Change{}, err
	}
	if withContent(there, a.Content) >= 0 {
		return Change{}, fault.New(fault.Conflict, "%s has such a record already: %s", change.Name, a.Content).
			WithOp("%s", say("create", a.Type, change.Name)).WithHint("cloudflare.set_record does nothing when the record is right")
	}
	change.Others = contents(there, -1)
	return change, nil
}

// foretold is a record as a plan shows it before it exists.
func foretold(zone, name, recordType, content string, ttl int, proxied bool, comment string) Change {
	full := whole(name, zone)
	if proxied {
		ttl = 1
	}
	return Change{ID: binding.Planned("id of record " + full), Zone: plain(zone), Name: full, Type: strings.ToUpper(recordType),
		Content: content, TTL: ttl, Proxied: proxied, Comment: comment, Changed: true, Others: []string{}}
}

// createSettled looks for the key of the call among the records of the name.
// Cloudflare acts before it answers, and refuses an identical record, so that
// a record that is not there was not created.
func (c *Client) createSettled(ctx context.Context, a createRecordArgs) (binding.Settlement[Change], error) {
	z, there, err := c.present(ctx, a.Zone, a.Name, a.Type)
	if err != nil {
		return binding.Settlement[Change]{}, err
	}
	for i, r := range there {
		if carriesKey(ctx, r) {
			change := changeOf(r, true, "")
			change.Others = contents(there, i)
			return binding.Settlement[Change]{Landed: binding.Yes, Result: change}, nil
		}
	}
	if at := withContent(there, a.Content); at >= 0 && binding.Key(ctx) != "" {
		return binding.Settlement[Change]{Look: "zone " + z.Name + " has " + say("an", a.Type, whole(a.Name, z.Name)) +
			" of that content which does not carry the key of this call: dash.cloudflare.com, DNS, Records"}, nil
	}
	return binding.Settlement[Change]{Landed: binding.No}, nil
}

// present returns a zone and its records of one name and type.
func (c *Client) present(ctx context.Context, zone, name, recordType string) (Zone, []Record, error) {
	z, err := c.known(ctx, zone)
	if err != nil {
		return Zone{}, nil, err
	}
	there, err := c.list(ctx, z, name, recordType)
	return z, there, err
}
