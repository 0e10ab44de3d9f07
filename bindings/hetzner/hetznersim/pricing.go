package hetznersim

import "fmt"

// vat is the rate prices are given with, in percent.
const vat = 19

// Monthly prices in euros, net, rounded: only their shape matters.
const (
	priceFloating4 = 3.0
	priceFloating6 = 1.0
	pricePrimary4  = 0.5
	priceImageGB   = 0.011
	priceVolumeGB  = 0.044
	priceTrafficTB = 1.0
)

func price(net float64) obj {
	return obj{"net": fmt.Sprintf("%.10f", net), "gross": fmt.Sprintf("%.10f", net*(1+vat/100.0))}
}

// terabytes of traffic that are included, in bytes.
func included(location string, europe, elsewhere uint64) uint64 {
	if l := findLocation(ref{name: location}); l != nil && l.zone == "eu-central" {
		return europe << 40
	}
	return elsewhere << 40
}

func pricesAt(where []string, monthly float64, inEurope uint64) []obj {
	list := []obj{}
	for _, location := range where {
		list = append(list, obj{
			"location": location, "price_hourly": price(monthly / 625), "price_monthly": price(monthly),
			"included_traffic": included(location, inEurope, 1), "price_per_tb_traffic": price(priceTrafficTB),
		})
	}
	return list
}

func (t *serverType) prices() []obj { return pricesAt(t.where, t.monthly, 20) }

func everywhere() []string {
	var names []string
	for _, l := range locations() {
		names = append(names, l.name)
	}
	return names
}

// ipPrices is the price list of one type of address, hourly too when asked.
func ipPrices(kind string, monthly float64, hourly bool) obj {
	list := []obj{}
	for _, location := range everywhere() {
		one := obj{"location": location, "price_monthly": price(monthly)}
		if hourly {
			one["price_hourly"] = price(monthly / 625)
		}
		list = append(list, one)
	}
	return obj{"type": kind, "prices": list}
}

func (s *Sim) getPricing(c *call) (int, any, error) {
	var servers, balancers []obj
	for _, t := range serverTypes() {
		servers = append(servers, obj{"id": t.id, "name": t.name, "prices": t.prices()})
	}
	for _, t := range balancerTypes() {
		balancers = append(balancers, obj{"id": t.id, "name": t.name, "prices": t.prices()})
	}
	return 200, obj{"pricing": obj{
		"currency": "EUR", "vat_rate": fmt.Sprintf("%.2f", float64(vat)),
		"image":         obj{"price_per_gb_month": price(priceImageGB)},
		"floating_ip":   obj{"price_monthly": price(priceFloating4)},
		"floating_ips":  []obj{ipPrices("ipv4", priceFloating4, false), ipPrices("ipv6", priceFloating6, false)},
		"primary_ips":   []obj{ipPrices("ipv4", pricePrimary4, true), ipPrices("ipv6", 0, true)},
		"traffic":       obj{"price_per_tb": price(0)},
		"server_backup": obj{"percentage": "20.00"},
		"volume":        obj{"price_per_gb_month": price(priceVolumeGB)},
		"server_types":  servers, "load_balancer_types": balancers,
	}}, nil
}
