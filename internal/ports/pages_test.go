package ports_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/ports"
)

type pageLister struct {
	pages   []ports.Page
	err     error // after the pages
	queries []ports.PageQuery
}

func (l *pageLister) ListPage(_ context.Context, query ports.PageQuery) (ports.Page, error) {
	l.queries = append(l.queries, query)
	if len(l.queries) > len(l.pages) {
		return ports.Page{}, l.err
	}
	return l.pages[len(l.queries)-1], nil
}

func TestAllPagesHaveOneRevision(t *testing.T) {
	t.Parallel()
	l := &pageLister{pages: []ports.Page{{Revision: 7, Next: "b"}, {Revision: 7, Next: "c"}, {Revision: 7}}}
	var got []ports.Page
	for page, err := range ports.AllPages(t.Context(), l, ports.PageQuery{RecordFilter: ports.RecordFilter{Regions: []string{"eu"}}, Local: true}) {
		require.NoError(t, err)
		got = append(got, page)
	}
	require.Equal(t, l.pages, got)
	require.Equal(t, []ports.PageQuery{
		{RecordFilter: ports.RecordFilter{Regions: []string{"eu"}}, Limit: 1000, Local: true},
		{RecordFilter: ports.RecordFilter{Regions: []string{"eu"}}, Limit: 1000, Revision: 7, Local: true, After: "b"},
		{RecordFilter: ports.RecordFilter{Regions: []string{"eu"}}, Limit: 1000, Revision: 7, Local: true, After: "c"},
	}, l.queries)
}

func TestAllPagesEndWithAnError(t *testing.T) {
	t.Parallel()
	l := &pageLister{pages: []ports.Page{{Revision: 7, Next: "b"}}, err: errors.New("store is down")}
	var errs []error
	for _, err := range ports.AllPages(t.Context(), l, ports.PageQuery{Limit: 5}) {
		errs = append(errs, err)
	}
	require.Equal(t, []error{nil, l.err}, errs)
}

func TestAllPagesEndWithTheConsumer(t *testing.T) {
	t.Parallel()
	l := &pageLister{pages: []ports.Page{{Revision: 7, Next: "b"}, {Revision: 7}}}
	for range ports.AllPages(t.Context(), l, ports.PageQuery{}) {
		break
	}
	require.Len(t, l.queries, 1)
}
