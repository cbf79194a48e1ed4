package connlimit

import (
	"container/list"
	"net"
	"net/http"
	"sync"
)

// unusedConnections are the open connections without a request in progress. A server at its
// limit of connections closes them to make space, so that a client which opens connections
// and sends nothing does not keep others out. It is safe for concurrent use.
type unusedConnections struct {
	mu      sync.Mutex
	entries map[net.Conn]*list.Element
	// pending have not sent a complete request: their TLS handshake or their headers may be
	// incomplete. idle have. Both have the oldest connection in front.
	pending, idle list.List
}

// update records the state of a connection.
func (u *unusedConnections) update(conn net.Conn, state http.ConnState) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.remove(conn)
	switch state {
	case http.StateNew:
		u.add(&u.pending, conn)
	case http.StateIdle:
		u.add(&u.idle, conn)
	case http.StateActive, http.StateHijacked, http.StateClosed:
	}
}

func (u *unusedConnections) add(to *list.List, conn net.Conn) {
	if u.entries == nil {
		u.entries = map[net.Conn]*list.Element{}
	}
	u.entries[conn] = to.PushBack(conn)
}

func (u *unusedConnections) remove(conn net.Conn) {
	entry, isUnused := u.entries[conn]
	if !isUnused {
		return
	}
	delete(u.entries, conn)
	u.pending.Remove(entry) // no effect on the list that does not contain it
	u.idle.Remove(entry)
}

// closeOldest closes the connection that has been pending for the longest time, or else idle,
// and reports whether there was one. A client repeats a request whose idle connection is
// closed, as after the idle timeout.
func (u *unusedConnections) closeOldest() bool {
	u.mu.Lock()
	oldest := u.pending.Front()
	if oldest == nil {
		oldest = u.idle.Front()
	}
	if oldest == nil {
		u.mu.Unlock()
		return false
	}
	conn, _ := oldest.Value.(net.Conn)
	u.remove(conn)
	u.mu.Unlock()
	abort(conn)
	return true
}

// abort closes a connection without waiting: the Close of a TLS connection first sends an
// alert, which can block.
func abort(conn net.Conn) {
	if secure, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = secure.NetConn()
	}
	_ = conn.Close()
}
