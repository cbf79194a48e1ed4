package ports

import (
	"context"
	"iter"
)

// AllPages iterates over all pages that match the query, each at the revision of the
// first. It ends after the last page, when the consumer stops, or when ListPage fails:
// it then yields the error with a zero Page. A query without a limit reads pages of 1000
// records.
func AllPages(ctx context.Context, reader interface {
	ListPage(ctx context.Context, query PageQuery) (Page, error)
}, query PageQuery) iter.Seq2[Page, error] {
	if query.Limit == 0 {
		query.Limit = 1000
	}
	return func(yield func(Page, error) bool) {
		for query := query; ; {
			page, err := reader.ListPage(ctx, query)
			if !yield(page, err) || err != nil || page.Next == "" {
				return
			}
			query.Revision, query.After = page.Revision, page.Next
		}
	}
}
