package report

import (
	"strings"
	"time"

	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// stream is one stream of a watcher.
type stream struct {
	watcher  string
	number   int
	node     string // as events name it
	from, to time.Duration
	events   int
	reason   string // why it ended; empty if it had not
}

// class returns the class of the end of a stream.
func (s stream) class() string {
	switch {
	case s.reason == "" || s.reason == "closed":
		return "closed"
	case strings.HasPrefix(s.reason, "disconnected"):
		return "disconnected"
	case strings.HasPrefix(s.reason, "410"):
		return "expired"
	default:
		return "failed"
	}
}

// streamsOf returns the streams of each watcher in order. A stream without an end is open until
// the end.
func streamsOf(events []recording.Event, end time.Duration) (found []*stream) {
	open := map[string]*stream{}
	for i := range events {
		e := &events[i]
		if e.Type == recording.StreamOpen {
			s := &stream{watcher: e.Watcher, number: e.Stream, node: e.Node, from: time.Duration(e.At), to: end}
			open[e.Watcher] = s
			found = append(found, s)
		}
		s := open[e.Watcher]
		switch {
		case s == nil: // not the whole stream was recorded
		case e.Type == recording.StreamEnd:
			s.to, s.reason = time.Duration(e.At), e.Reason
		case e.Type != recording.StreamOpen:
			s.events++
		}
	}
	return found
}

// watchersOf returns the streams at a node by watcher, and the names of the watchers in order of
// their first stream.
func watchersOf(all []*stream, node string) (byName map[string][]*stream, names []string) {
	byName = map[string][]*stream{}
	for _, s := range all {
		isOf := s.node == strings.ReplaceAll(node, "/", "-")
		if node == storeNode {
			isOf = strings.HasPrefix(s.node, "store-")
		}
		if !isOf {
			continue
		}
		if byName[s.watcher] == nil {
			names = append(names, s.watcher)
		}
		byName[s.watcher] = append(byName[s.watcher], s)
	}
	return byName, names
}
