package cloudflaresim

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/miekg/dns"
)

// routeAccount answers what belongs to the user or the account.
func (s *Sim) routeAccount(c *call) (answer, *problem) {
	unknown := &problem{404, 7000, "No route for that URI"}
	own := object{"id": account, "name": "drill", "type": "standard", "settings": object{"enforce_twofactor": false},
		"created_on": "2024-01-02T03:04:05Z"}
	get := c.method == http.MethodGet
	switch path := c.path; {
	case get && len(path) == 1 && path[0] == "user":
		return answer{result: object{"id": strings.Repeat("7c5dae5552338874", 2), "email": "operator@webhost.systems", "first_name": "Drill",
			"last_name": "Operator", "username": "operator", "telephone": nil, "country": nil, "zipcode": nil, "two_factor_authentication_enabled": true,
			"created_on": "2024-01-02T03:04:05Z", "modified_on": "2024-01-02T03:04:05Z", "organizations": []any{}, "betas": []any{}}}, nil
	case get && len(path) == 1 && path[0] == "accounts":
		found, page, p := paginate([]object{own}, c.query, 20, 50)
		return answer{result: append([]object{}, found...), page: page}, p
	case get && len(path) == 2 && path[0] == "accounts" && path[1] == account:
		return answer{result: own}, nil
	case len(path) > 2 && path[0] == "user" && path[1] == "load_balancers":
		return s.routeBalancing(c, path[2:])
	case len(path) > 3 && path[0] == "accounts" && path[1] == account && path[2] == "load_balancers":
		return s.routeBalancing(c, path[3:])
	}
	return answer{}, unknown
}

// importRecords adds the records of a BIND file: SOA and NS of the zone itself
// are passed over, as the vendor does, and so is what is there already.
func (s *Sim) importRecords(z *zone, c *call) (answer, *problem) {
	file, proxied, err := importForm(c)
	if err != nil {
		return answer{}, &problem{400, 9207, "Request body is invalid: " + err.Error()}
	}
	added, total := 0, 0
	a, p := s.change(z, c, func(t *turn) (any, *problem) {
		parser := dns.NewZoneParser(bytes.NewReader(file), dns.Fqdn(z.name), "")
		parser.SetDefaultTTL(automaticTTL)
		for rr, ok := parser.Next(); ok; rr, ok = parser.Next() {
			r := fromRR(rr, proxied || strings.Contains(parser.Comment(), "cf-proxied:true"))
			if r.Type == "SOA" || (r.Type == "NS" && r.Name == z.name) {
				continue
			}
			total++
			made, p := s.insert(z, t.records, r)
			switch {
			case p != nil && slices.Contains([]int{81057, 81058}, p.code):
			case p != nil:
				return nil, p
			default:
				t.records, added = append(t.records, made), added+1
			}
		}
		if err := parser.Err(); err != nil {
			return nil, &problem{400, 9207, "Unable to parse the zone file: " + err.Error()}
		}
		return object{"recs_added": added, "total_records_parsed": total}, nil
	})
	return a, p
}

// importForm reads the multipart form: the field file, and proxied.
func importForm(c *call) (file []byte, proxied bool, err error) {
	_, params, err := mime.ParseMediaType(c.form)
	if err != nil {
		return nil, false, err
	}
	reader := multipart.NewReader(bytes.NewReader(c.body), params["boundary"])
	for {
		part, err := reader.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, false, err
		}
		value, err := io.ReadAll(part)
		if err != nil {
			return nil, false, err
		}
		switch part.FormName() {
		case "file":
			file = value
		case "proxied":
			proxied, err = strconv.ParseBool(strings.TrimSpace(string(value)))
		}
		if err != nil {
			return nil, false, err
		}
	}
	if file == nil {
		return nil, false, errors.New("file is missing")
	}
	return file, proxied, nil
}

// fromRR is a record of a BIND file in the form in which the API holds it.
func fromRR(rr dns.RR, proxied bool) Record {
	h := rr.Header()
	r := Record{Name: plainName(h.Name), Type: dns.TypeToString[h.Rrtype], TTL: int(h.Ttl)}
	switch rr := rr.(type) {
	case *dns.MX:
		r.Content, r.Priority = plainName(rr.Mx), rr.Preference
	case *dns.SRV:
		r.Content, r.Priority = strings.Join([]string{strconv.Itoa(int(rr.Weight)), strconv.Itoa(int(rr.Port)), plainName(rr.Target)}, " "), rr.Priority
	case *dns.TXT:
		r.Content = strings.Join(rr.Txt, "")
	case *dns.CNAME:
		r.Content = plainName(rr.Target)
	case *dns.NS:
		r.Content = plainName(rr.Ns)
	case *dns.PTR:
		r.Content = plainName(rr.Ptr)
	default:
		r.Content = strings.TrimPrefix(rr.String(), h.String())
	}
	r.Proxied = proxied && r.proxiable()
	return r
}
