package embeddedetcd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"
)

// leaderWatch logs the loss of the leader and its return.
type leaderWatch struct {
	member *Member
	cfg    Config
	lostAt time.Time // zero while there is a leader
	// checkAt is when the membership is checked next.
	checkAt time.Time
}

// check detects whether there is a leader.
func (w *leaderWatch) check(ctx context.Context) {
	hasLeader := w.member.etcd.Server.Lead() != 0
	switch {
	case !hasLeader:
		w.handleMissing(ctx)
	case !w.lostAt.IsZero():
		w.handleReturn()
	}
}

// handleMissing finds out whether this member was removed, and which members do not respond.
func (w *leaderWatch) handleMissing(ctx context.Context) {
	m := w.member
	if w.lostAt.IsZero() {
		w.lostAt = time.Now()
		w.checkAt = w.lostAt.Add(membershipInterval / 2)
	}
	if time.Now().After(w.checkAt) {
		if err := m.checkMembership(ctx, w.cfg); err != nil {
			m.state.fail(ctx, err)
			return
		}
		w.checkAt = time.Now().Add(membershipInterval)
	}
	m.clusterMu.Lock()
	others := m.data.cluster.Others
	m.clusterMu.Unlock()
	unreachable := unreachableMembers(ctx, others)
	if previous := m.state.unreachable.Swap(&unreachable); previous == nil || *previous != unreachable {
		m.state.logger.Warn(m.noLeaderError().Error(), "for", time.Since(w.lostAt).Round(time.Millisecond).String())
	}
}

// handleReturn logs that there is a leader, and how long there was none.
func (w *leaderWatch) handleReturn() {
	m := w.member
	m.state.unreachable.Store(nil)
	m.state.logger.Warn("the etcd member has a leader", "leader_id", m.etcd.Server.Leader().String(), "without_leader", time.Since(w.lostAt).Round(time.Millisecond).String())
	w.lostAt = time.Time{}
}

// unreachableMembers describes the members whose peer addresses accept no connection.
func unreachableMembers(ctx context.Context, others []otherMember) string {
	ctx, cancel := context.WithTimeout(ctx, leaderCheckInterval)
	defer cancel()
	texts := make(chan string, len(others))
	for _, other := range others {
		go func() { texts <- dialPeer(ctx, other) }()
	}
	var unreachable []string
	for range others {
		if text := <-texts; text != "" {
			unreachable = append(unreachable, text)
		}
	}
	slices.Sort(unreachable)
	return strings.Join(unreachable, ", ")
}

// dialPeer returns an empty text if one of the peer URLs of the member accepts a connection, and
// otherwise the name of the member and the last error.
func dialPeer(ctx context.Context, other otherMember) string {
	var last error
	for _, text := range other.PeerURLs {
		u, err := url.Parse(text)
		if err != nil {
			continue
		}
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", u.Host)
		if err == nil {
			_ = conn.Close()
			return ""
		}
		last = err
	}
	var timeout net.Error
	if errors.As(last, &timeout) && timeout.Timeout() {
		last = errors.New("timeout")
	}
	var operation *net.OpError
	if errors.As(last, &operation) {
		last = operation.Err
	}
	return fmt.Sprintf("%s at %s (%v)", other.Name, strings.Join(other.PeerURLs, ", "), last)
}
