package traffic

import (
	"context"
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// leaderTTL is how long a leader that does nothing remains the leader, in seconds.
const leaderTTL = 1

// leader writes records while it has a leader key, and sometimes after it has lost it: it does not
// look whether it is the leader. Two or more of them take turns. Its fence must stop it.
type leader struct {
	client
	etcd  *clientv3.Client
	key   string
	fence int64 // the create revision of the key; 0 for none
}

func newLeader(t *Traffic, number, id int, to target) *leader {
	name := fmt.Sprintf("leader-%d", number)
	return &leader{
		client: client{t: t, name: name, target: to, rng: t.random(name), id: id, seen: map[string]seenRecord{}},
		etcd:   t.cfg.Etcd, key: "/chaos/" + t.cfg.Run + "/leader",
	}
}

func (l *leader) run(ctx context.Context) {
	for pause(ctx, l.rng, l.t.cfg.Pause) {
		if l.fence == 0 && !l.campaign(ctx) {
			continue
		}
		call := recording.Call{Game: l.t.recordGame(l.rng.IntN(l.t.cfg.Games)), Method: recording.Put, FenceKey: l.key, FenceRevision: l.fence}
		if seen := l.seen[call.Game].status; (seen == running || seen == stopped) && l.rng.IntN(2) == 0 {
			l.chooseUpdate(&call)
		} else {
			call.Input = l.newRecord(call.Game)
		}
		call.OperationID = l.operationID()
		l.do(ctx, &call)
		switch {
		case call.Outcome == recording.Rejected: // it has been replaced
			l.fence = 0
		case l.rng.IntN(30) == 0: // it hangs and is replaced meanwhile
			_ = pause(ctx, l.rng, 2*leaderTTL*time.Second)
		}
	}
}

// campaign tries to become the leader until the lease ends. It reports whether it is.
func (l *leader) campaign(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, l.t.cfg.CallTimeout)
	defer cancel()
	lease, err := l.etcd.Grant(ctx, leaderTTL+int64(l.rng.IntN(2)))
	if err != nil {
		return false
	}
	resp, err := l.etcd.Txn(ctx).If(clientv3.Compare(clientv3.CreateRevision(l.key), "=", 0)).Then(clientv3.OpPut(l.key, l.name, clientv3.WithLease(lease.ID))).Commit()
	if err != nil || !resp.Succeeded {
		return false
	}
	l.fence = resp.Header.Revision
	return true
}
