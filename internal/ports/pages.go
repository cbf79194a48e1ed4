package ports

import (
	"context"
	"iter"
)

// AllPages lists every page that matches the query, each at the revision of the
// first, until the list is complete, the consumer stops ranging, or ListPage fails;
// its error then comes beside a zero Page. A query without a limit asks for pages of
// 1000 records.
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
			query.Revision, query.After, query.Local = page.Revision, page.Next, false
		}
	}
}
