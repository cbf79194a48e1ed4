package etcdstore

import (
	"context"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/etcd"
	"galaxy/rtmanager/internal/ports"
)

// vouchForIndex reports what the scan of one status cannot see, such as a record
// whose index key is missing. Each record has exactly one index key, so the two
// families are of one size, and only when they are not is a full comparison
// worth its cost. It does not notice one key too few and another too many; that
// is for Check to find.
func (l *lister) vouchForIndex(ctx context.Context) error {
	keys := l.store.keys
	resp, err := etcd.RetryRead(ctx, l.store.etcd, func(ctx context.Context) (*clientv3.TxnResponse, error) {
		return l.store.client.Txn(ctx).Then(
			clientv3.OpGet(keys.Records(), clientv3.WithPrefix(), clientv3.WithCountOnly()),
			clientv3.OpGet(keys.StatusIndex(), clientv3.WithPrefix(), clientv3.WithCountOnly()),
		).Commit()
	})
	if err != nil {
		return err
	}
	l.page.Revision = resp.Header.GetRevision()
	if resp.Responses[0].GetResponseRange().GetCount() == resp.Responses[1].GetResponseRange().GetCount() {
		return nil
	}
	c, err := l.store.checkAt(ctx, l.page.Revision)
	if err != nil {
		return err
	}
	for _, f := range c.findings {
		if l.overlooks(c, f) {
			l.page.Corrupt = append(l.page.Corrupt, &runtime.CorruptError{Key: f.Key, GameID: f.GameID, Reason: f.Detail})
		}
	}
	return nil
}

// overlooks reports whether the scan of one status does not come across a
// finding that could concern it: a record whose status or index is not to be
// trusted, found elsewhere than under that status.
func (l *lister) overlooks(c *checker, f *finding) bool {
	switch f.Kind {
	case ports.FindingIndexMissing:
		return true
	case ports.FindingKeyForeign:
		return strings.HasPrefix(f.Key, l.store.keys.Records())
	case ports.FindingRecordUnreadable:
		return !c.games[f.GameID].indexed
	case ports.FindingIndexExtra:
		return !strings.HasPrefix(f.Key, l.family)
	default:
		return false
	}
}
