package network

import "time"

// The faults below concern the given kinds of traffic. No kind means every kind. Regions may
// be equal: traffic within a region has faults only by these explicit pairs.

// Quality is how good the line of one direction is. The zero value is a perfect line.
type Quality struct {
	// Loss is the share of chunks that are lost, from 0 to 1. The receiver sees a lost chunk as
	// TCP shows it: the chunk, and all that follows it on its connection, is late by the time of
	// a retransmission.
	Loss float64
	// Jitter is the most by which a chunk is late. Each chunk is late by a random part of it.
	Jitter time.Duration
	// Bandwidth is the number of bytes per second that all connections of the direction share.
	// 0 means no limit.
	Bandwidth int
}

// BlockFrom blocks everything that the region sends to other regions.
func (n *Network) BlockFrom(region string, kinds ...Traffic) {
	n.setBlocked(kinds, func(r route) bool { return r.from == region })
}

// Isolate blocks everything between the region and other regions.
func (n *Network) Isolate(region string, kinds ...Traffic) {
	n.setBlocked(kinds, func(r route) bool { return r.from == region || r.to == region })
}

// Block blocks everything that one region sends to the other, requests and responses. The
// opposite direction works.
func (n *Network) Block(from, to string, kinds ...Traffic) {
	n.each(from, to, kinds, func(p *path) { p.blocked = true })
}

// Cut blocks both directions between two regions.
func (n *Network) Cut(a, b string, kinds ...Traffic) {
	n.Block(a, b, kinds...)
	n.Block(b, a, kinds...)
}

// HoldResponses holds all that servers of one region send to clients of the other, until
// Repair delivers it. Requests are delivered.
func (n *Network) HoldResponses(client, server string, kinds ...Traffic) {
	n.each(server, client, kinds, func(p *path) { p.holdsResponses = true })
}

// LoseResponses loses the share of the responses, from 0 to 1, that servers of one region send
// to clients of the other: the server has the whole request, and then the connection is
// reset before the client has a byte of the response. It knows the responses of HTTP/1 and of
// gRPC without TLS. Other requests that are in flight on the connection fail as well.
func (n *Network) LoseResponses(client, server string, share float64, kinds ...Traffic) {
	n.each(server, client, kinds, func(p *path) { p.responseLoss = share })
}

// SetQuality sets the quality of the line for what one region sends to the other.
func (n *Network) SetQuality(from, to string, quality Quality, kinds ...Traffic) {
	n.each(from, to, kinds, func(p *path) { p.quality = quality })
}

// ResetConnections resets the open connections from clients of one region to servers of the
// other, at both ends, and returns their number. Clients may connect at once.
func (n *Network) ResetConnections(client, server string, kinds ...Traffic) int {
	var found []*link
	for _, traffic := range orAll(kinds) {
		n.mu.Lock()
		for l := range n.links {
			if l.route == (route{traffic, client, server}) {
				found = append(found, l)
			}
		}
		n.mu.Unlock()
	}
	for _, l := range found {
		l.reset()
	}
	return len(found)
}

// Repair ends every fault, and delivers all that was blocked or late. Round trips remain.
func (n *Network) Repair() {
	n.mu.Lock()
	paths := make([]*path, 0, len(n.paths))
	for _, p := range n.paths {
		paths = append(paths, p)
	}
	n.mu.Unlock()
	for _, p := range paths {
		p.set(func(p *path) { p.conditions = conditions{} })
	}
}

func (n *Network) setBlocked(kinds []Traffic, matches func(route) bool) {
	for from := range n.regionNames() {
		for to := range n.regionNames() {
			if from != to && matches(route{from: from, to: to}) {
				n.Block(from, to, kinds...)
			}
		}
	}
}

// each changes the paths of these kinds from one region to the other.
func (n *Network) each(from, to string, kinds []Traffic, change func(*path)) {
	for _, traffic := range orAll(kinds) {
		n.path(route{traffic, from, to}).set(change)
	}
}

func orAll(kinds []Traffic) []Traffic {
	if len(kinds) == 0 {
		return allTraffic
	}
	return kinds
}
