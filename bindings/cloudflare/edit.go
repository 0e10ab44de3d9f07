package cloudflare

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

// Edit is one change of a record: what diff_zone finds and batch makes.
type Edit struct {
	Action   string   `lua:"action" enum:"create,change,delete" doc:"create, change or delete."`
	Name     string   `lua:"name" doc:"Name: whole, without the zone, or @ for the zone itself."`
	Type     string   `lua:"type" enum:"A,AAAA,CAA,CERT,CNAME,DNSKEY,DS,HTTPS,LOC,MX,NAPTR,NS,OPENPGPKEY,PTR,SMIMEA,SRV,SSHFP,SVCB,TLSA,TXT,URI" default:"A" doc:"Type of the record."`
	Content  string   `lua:"content" doc:"What it shall answer with; of a deletion what it answers with now."`
	Before   string   `lua:"before,optional" doc:"Of a change: the content that it has now. The change is refused when no record has it; absent when the content stays."`
	TTL      *int     `lua:"ttl" doc:"Seconds that it may be remembered; 1 means automatic. Kept when absent; 1 for a new record."`
	Proxied  *bool    `lua:"proxied" doc:"Whether Cloudflare shall answer with addresses of its own. Kept when absent; false for a new record."`
	Priority *int     `lua:"priority" doc:"Of MX and SRV records."`
	Comment  string   `lua:"comment,optional" doc:"Note to keep with the record."`
	Tags     []string `lua:"tags,optional" doc:"Tags to keep with the record, such as team:ops. Kept when absent."`
	Says     string   `lua:"says,optional" doc:"The change as a sentence."`
}

// sentence says what an edit does, for people.
func (e Edit) sentence() string {
	what := e.Type + " " + e.Name
	switch {
	case e.Action == "create":
		return "create " + what + " = " + e.Content
	case e.Action == "delete":
		return "delete " + what + " = " + e.Content
	case e.Before == "" || e.Before == e.Content:
		text := "change " + what + " (" + e.Content + ")"
		if e.TTL != nil {
			text += ", ttl " + strconv.Itoa(*e.TTL)
		}
		if e.Proxied != nil {
			text += fmt.Sprintf(", proxied %t", *e.Proxied)
		}
		return text
	}
	return "change " + what + " from " + e.Before + " to " + e.Content
}

// entry is a record as it should be.
type entry struct {
	ID       string   `lua:"id,optional" doc:"Not looked at: there so that what records and export_zone give can be passed on."`
	Zone     string   `lua:"zone,optional" doc:"Not looked at either."`
	Name     string   `lua:"name" doc:"Name: whole, without the zone, or @ for the zone itself."`
	Type     string   `lua:"type" enum:"A,AAAA,CAA,CERT,CNAME,DNSKEY,DS,HTTPS,LOC,MX,NAPTR,NS,OPENPGPKEY,PTR,SMIMEA,SRV,SSHFP,SVCB,TLSA,TXT,URI" default:"A" doc:"Type of the record."`
	Content  string   `lua:"content" doc:"What it should answer with."`
	TTL      *int     `lua:"ttl" doc:"Seconds that it may be remembered; 1 means automatic. Absent: any will do."`
	Proxied  *bool    `lua:"proxied" doc:"Whether Cloudflare should answer with addresses of its own. Absent: either will do."`
	Priority *int     `lua:"priority" doc:"Of MX and SRV records."`
	Comment  string   `lua:"comment,optional" doc:"Note that should be kept with it. Absent: any will do."`
	Tags     []string `lua:"tags,optional" doc:"Tags that should be kept with it. Absent: any will do."`
}

// met tells whether a record of the right name, type and content is right in
// everything else too.
func (w entry) met(r Record) bool {
	proxied := w.Proxied != nil && *w.Proxied
	return (w.Proxied == nil || *w.Proxied == r.Proxied) &&
		(w.TTL == nil || *w.TTL == r.TTL || proxied || (r.Proxied && w.Proxied == nil)) &&
		(w.Priority == nil || *w.Priority == r.Priority) &&
		(w.Comment == "" || unsigned(w.Comment) == unsigned(r.Comment)) &&
		(len(w.Tags) == 0 || sameTags(w.Tags, r.Tags))
}

func sameTags(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

// unsigned is a comment without the key that a call left in it.
func unsigned(comment string) string {
	before, _, _ := strings.Cut(comment, keyMark)
	return strings.TrimSpace(before)
}

// edits is what has to be done so that a zone has the wanted records. Records
// that nobody wants are deleted when complete, else only where they stand in
// the way: further contents of a wanted name and type, and an alias beside an
// address. What the zone's own NS records are is Cloudflare's business.
func edits(z Zone, there []Record, wanted []entry, complete bool) []Edit {
	out, used := []Edit{}, make([]bool, len(there))
	var open []entry
	for _, w := range wanted {
		w.Name, w.Type = whole(w.Name, z.Name), strings.ToUpper(w.Type)
		at := slices.IndexFunc(there, func(r Record) bool {
			return r.Name == w.Name && r.Type == w.Type && sameContent(r.Type, r.Content, w.Content)
		})
		if at < 0 || used[at] {
			open = append(open, w)
			continue
		}
		if used[at] = true; !w.met(there[at]) {
			out = append(out, w.change(""))
		}
	}
	for _, w := range open {
		at := -1
		for i, r := range there {
			if !used[i] && r.Name == w.Name && r.Type == w.Type {
				at = i
				break
			}
		}
		if at < 0 {
			e := w.change("")
			e.Action = "create"
			e.Says = e.sentence()
			out = append(out, e)
			continue
		}
		used[at] = true
		out = append(out, w.change(there[at].Content))
	}
	for i, r := range there {
		if used[i] || (r.Type == "NS" && r.Name == plain(z.Name)) || (!complete && !inTheWay(z, r, wanted)) {
			continue
		}
		e := Edit{Action: "delete", Name: r.Name, Type: r.Type, Content: r.Content}
		e.Says = e.sentence()
		out = append(out, e)
	}
	return out
}

func (w entry) change(before string) Edit {
	e := Edit{Action: "change", Name: w.Name, Type: w.Type, Content: w.Content, Before: before, TTL: w.TTL, Proxied: w.Proxied,
		Priority: w.Priority, Comment: w.Comment, Tags: w.Tags}
	e.Says = e.sentence()
	return e
}

func inTheWay(z Zone, r Record, wanted []entry) bool {
	return slices.ContainsFunc(wanted, func(w entry) bool {
		if whole(w.Name, z.Name) != r.Name {
			return false
		}
		kind := strings.ToUpper(w.Type)
		return kind == r.Type && answersAlone(kind) || kind == "CNAME" && isAddress(r.Type) || isAddress(kind) && r.Type == "CNAME"
	})
}

func isAddress(kind string) bool    { return kind == "A" || kind == "AAAA" }
func answersAlone(kind string) bool { return isAddress(kind) || kind == "CNAME" }

type diffZoneArgs struct {
	Zone     string  `lua:"zone" doc:"Name of the zone."`
	Records  []entry `lua:"records" doc:"The records that should be there, as a list of your own or as export_zone gives them."`
	Complete bool    `lua:"complete" default:"false" doc:"Whether the list is the whole zone, so that whatever it lacks is rogue."`
}

var diffZone = binding.Func[*Client, diffZoneArgs, []Edit]{
	Name: "diff_zone", Effect: binding.Reads,
	Doc: "Hold a zone against the records that should be there: the changes that would make it so, in the form that batch takes. " +
		"The list is empty when all is right.",
	Raises:  []fault.Kind{fault.NotFound, fault.Denied, fault.RateLimited, fault.Unavailable, fault.Timeout},
	Example: `cloudflare.diff_zone { zone = "webhost.systems", records = { { name = "hobby", content = "203.0.113.11", ttl = 60 } } }`,
	Target:  "zone",
	Call:    (*Client).diffZone,
}

func (c *Client) diffZone(ctx context.Context, a diffZoneArgs) ([]Edit, error) {
	z, err := c.known(ctx, a.Zone)
	if err != nil {
		return nil, err
	}
	there, err := c.list(ctx, z, "", "")
	if err != nil {
		return nil, err
	}
	return edits(z, there, a.Records, a.Complete), nil
}

// structured is the data of the types whose content the API only takes in
// parts; nil for all others.
func structured(kind, content string, priority *int) (map[string]any, error) {
	words := strings.Fields(content)
	bad := func(form string) error {
		return fault.New(fault.Invalid, "%q is no content of a record of type %s", content, kind).WithHint("write it as %s", form)
	}
	switch strings.ToUpper(kind) {
	case "SRV":
		if len(words) == 4 && priority == nil { // with its priority in front, as dig writes it
			n, err := strconv.Atoi(words[0])
			if err != nil {
				return nil, bad("priority weight port target")
			}
			priority, words = &n, words[1:]
		}
		if len(words) != 3 {
			return nil, bad("weight port target, and priority = 10")
		}
		weight, err := strconv.Atoi(words[0])
		port, err2 := strconv.Atoi(words[1])
		if err != nil || err2 != nil {
			return nil, bad("weight port target, and priority = 10")
		}
		first := 0
		if priority != nil {
			first = *priority
		}
		return map[string]any{"priority": first, "weight": weight, "port": port, "target": words[2]}, nil
	case "CAA":
		if len(words) < 3 {
			return nil, bad(`0 issue "letsencrypt.org"`)
		}
		flags, err := strconv.Atoi(words[0])
		if err != nil {
			return nil, bad(`0 issue "letsencrypt.org"`)
		}
		return map[string]any{"flags": flags, "tag": words[1], "value": strings.Trim(strings.Join(words[2:], " "), `"`)}, nil
	}
	return nil, nil
}
