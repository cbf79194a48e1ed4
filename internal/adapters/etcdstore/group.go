package etcdstore

import (
	"context"
	"slices"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/etcd"
)

// Bounds of group commit.
const (
	// maxGroupMembers keeps within etcd's 128 operations, of which it counts the
	// outer ones and the longest list of any nested transaction together. A
	// write's longest list is that of its compares, six at most.
	maxGroupMembers = 120
	// maxGroupBytes keeps within etcd's 1.5 MiB a request.
	maxGroupBytes = 1 << 20
	// maxInFlight is how many requests the group has under way at most. More would
	// make each smaller without making any faster.
	maxInFlight = 4
	// maxWait is how long a write waits for company though there is a place for it: a
	// request that etcd does not answer must not hold up others.
	maxWait = 5 * time.Millisecond
)

// group takes writes to etcd together that arrive while others are under way:
// in one transaction whose operations are the writes' own transactions, each
// with its own compares and its own answer. etcd then agrees on many writes at
// the price of one. A write that finds none under way is sent at once, so a lone
// writer is not delayed. Where many come, a free place is not given to the first of
// them, or requests would be many and small: it is kept until about half as many
// wait as have been travelling together of late, or until a request returns.
//
// A group is safe for concurrent use.
type group struct {
	store *Store

	mu       sync.Mutex
	waiting  []*member // in the order of arrival
	inFlight int
	company  float64 // how many have been travelling together, of late

	carriers sync.WaitGroup
}

// member is a write that waits for company and its answer.
type member struct {
	write    *prepared
	answered chan struct{} // closed once resp and err are set
	resp     *clientv3.TxnResponse
	err      error
}

func (m *member) answer(resp *clientv3.TxnResponse, err error) {
	m.resp, m.err = resp, err
	close(m.answered)
}

// send makes one try to carry the write out and returns its own answer. When ctx
// ends first, the error is errNotSent if nothing has been sent and nothing will.
func (g *group) send(ctx context.Context, w *prepared) (*clientv3.TxnResponse, error) {
	m, alone := g.enter(w)
	if alone {
		defer g.release()
		return etcd.TryOnce(ctx, g.store.etcd, w.send)
	}
	g.dispatch(false)
	long := time.NewTimer(maxWait)
	defer long.Stop()
	for {
		select {
		case <-m.answered:
			return m.resp, m.err
		case <-long.C:
			g.dispatch(true)
		case <-ctx.Done():
			if g.withdraw(m) {
				return nil, errNotSent
			}
			return nil, ctx.Err()
		}
	}
}

// enter gives the write a place among those in flight if one is free, and else
// one in the queue.
func (g *group) enter(w *prepared) (m *member, alone bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inFlight == 0 || g.inFlight < maxInFlight && g.quorum() <= 1 && len(g.waiting) == 0 {
		g.inFlight++
		g.note(1)
		return nil, true
	}
	m = &member{write: w, answered: make(chan struct{})}
	g.waiting = append(g.waiting, m)
	return m, false
}

// quorum is how many must wait for a place in flight to be taken while others are
// on their way. The caller holds mu.
func (g *group) quorum() int { return int(g.company / 2) }

// note takes in how many travel together in a request. The caller holds mu.
func (g *group) note(members int) { g.company += (float64(members) - g.company) / 4 }

// dispatch gives a free place in flight to those who wait, if they are enough or
// have waited for long.
func (g *group) dispatch(long bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inFlight == maxInFlight || len(g.waiting) == 0 || !long && len(g.waiting) < g.quorum() {
		return
	}
	g.inFlight++
	if members := g.take(); len(members) > 0 {
		g.carriers.Go(func() { g.carry(members) })
	}
}

// withdraw takes a member out of the queue, and reports false for one that has
// left it.
func (g *group) withdraw(m *member) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.waiting, m)
	if i < 0 {
		return false
	}
	g.waiting = slices.Delete(g.waiting, i, i+1)
	return true
}

// release gives the place in flight to those who wait. They are carried on a
// goroutine of their own, since whoever releases has an answer to return.
func (g *group) release() {
	if members := g.next(); len(members) > 0 {
		g.carriers.Go(func() { g.carry(members) })
	}
}

// carry takes members to etcd for as long as enough wait.
func (g *group) carry(members []*member) {
	for len(members) > 0 {
		g.commit(members)
		members = g.next()
	}
}

// next returns those for whom a request that has returned makes room. Too few are
// left to wait for company while others are on their way, one of whom will come
// back for them.
func (g *group) next() []*member {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inFlight > 1 && len(g.waiting) < g.quorum() {
		g.inFlight--
		return nil
	}
	return g.take()
}

// take returns those who travel together next, in the order of arrival: as many
// as fit, and each game once, since etcd refuses to put a key twice. Where nobody
// waits, the place in flight is given up and it returns none. The caller holds mu.
func (g *group) take() []*member {
	var taken, left []*member
	games := map[string]bool{}
	bytes := 0
	for _, m := range g.waiting {
		fits := len(taken) < maxGroupMembers && (len(taken) == 0 || bytes+m.write.bytes <= maxGroupBytes)
		if !fits || games[m.write.change.gameID] {
			left = append(left, m)
			continue
		}
		taken = append(taken, m)
		games[m.write.change.gameID] = true
		bytes += m.write.bytes
	}
	g.waiting = left
	if len(taken) == 0 {
		g.inFlight--
	} else {
		g.note(len(taken))
	}
	return taken
}

// commit sends the members' writes in one request and gives each its answer. A
// request that etcd refuses says nothing of its members, of which one may be to
// blame, so each is then sent alone. One whose fate is not known leaves every
// member to find out its own.
func (g *group) commit(members []*member) {
	if len(members) == 1 {
		members[0].answer(etcd.TryOnce(g.store.life.Context(), g.store.etcd, members[0].write.send))
		return
	}
	ops := make([]clientv3.Op, len(members))
	for i, m := range members {
		ops[i] = clientv3.OpTxn(m.write.compares, m.write.puts, m.write.truth)
	}
	resp, err := etcd.TryOnce(g.store.life.Context(), g.store.etcd, func(ctx context.Context) (*clientv3.TxnResponse, error) {
		return g.store.client.Txn(ctx).Then(ops...).Commit()
	})
	for i, m := range members {
		switch {
		case err == nil:
			own := (*clientv3.TxnResponse)(resp.Responses[i].GetResponseTxn())
			own.Header = resp.Header // a nested answer has none
			m.answer(own, nil)
		case etcd.Classify(err) == etcd.Permanent:
			m.answer(etcd.TryOnce(g.store.life.Context(), g.store.etcd, m.write.send))
		default:
			m.answer(nil, err)
		}
	}
}

// close waits for those on their way. No send may be under way or follow.
func (g *group) close() { g.carriers.Wait() }
