package auditlog

import (
	"sync"
	"time"

	"galaxy/rtmanager/internal/clientaddr"
	"galaxy/rtmanager/internal/domain/audit"
)

// Bounds of denied events, so that a flood of them cannot fill the disk or rotate older
// events out of the files. Together they allow about 300 lines a minute.
const (
	// deniedWindow is the time after which the counts start from zero.
	deniedWindow = time.Minute
	// maxDeniedPerSource is how many events of one source are stored one by one in a window.
	maxDeniedPerSource = 10
	// maxDenied is how many events of all sources are stored one by one in a window.
	maxDenied = 200
	// maxDeniedSources is the number of sources that are counted apart.
	maxDeniedSources = 100
)

// otherSources is the RemoteAddr of an event that represents several sources.
const otherSources = "other"

// deniedSource is the origin of denied requests: a caller at a network.
type deniedSource struct{ network, actor string }

// deniedCount is what was denied to one source in a window.
type deniedCount struct {
	stored  int
	counted int64
	last    audit.Event // of counted
}

// deniedCounter decides which denied events are stored one by one. It counts the others
// by source, and returns the counts at the end of the window.
type deniedCounter struct {
	mu      sync.Mutex
	start   time.Time // of the window
	stored  int
	sources map[deniedSource]*deniedCount
	others  deniedCount
}

// admit reports whether to store the event itself; otherwise it is counted.
func (d *deniedCounter) admit(event audit.Event, now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.start.IsZero() {
		d.start = now
	}
	count := d.countOf(deniedSource{clientaddr.NetworkText(event.RemoteAddr), event.Actor})
	if d.stored < maxDenied && count.stored < maxDeniedPerSource {
		d.stored++
		count.stored++
		return true
	}
	count.counted++
	count.last = event
	return false
}

// countOf returns the count of a source. Sources beyond the maximum share one count.
func (d *deniedCounter) countOf(source deniedSource) *deniedCount {
	if count, isCounted := d.sources[source]; isCounted {
		return count
	}
	if len(d.sources) >= maxDeniedSources {
		return &d.others
	}
	if d.sources == nil {
		d.sources = map[deniedSource]*deniedCount{}
	}
	count := &deniedCount{}
	d.sources[source] = count
	return count
}

// flush returns one event for each source with counted events, and starts a new window. It
// returns nothing before the end of the window, unless the log is closing.
func (d *deniedCounter) flush(now time.Time, isClosing bool) []audit.Event {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.start.IsZero() || !isClosing && now.Sub(d.start) < deniedWindow {
		return nil
	}
	var events []audit.Event
	for source, count := range d.sources {
		if count.counted > 0 {
			events = append(events, count.event(source.network))
		}
	}
	if d.others.counted > 0 {
		event := d.others.event(otherSources)
		event.Actor, event.AuthMethod, event.Groups, event.UserAgent = "", "", nil, ""
		events = append(events, event)
	}
	d.start, d.stored, d.sources, d.others = time.Time{}, 0, nil, deniedCount{}
	return events
}

// event returns the last counted event with the number of all of them.
func (c *deniedCount) event(network string) audit.Event {
	event := c.last
	event.Count, event.RemoteAddr = c.counted, network
	event.Detail = "denied requests that were counted; the other members are those of the last one"
	return event
}
