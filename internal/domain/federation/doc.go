// Package federation has the values of other stores: one of each continent, for example, without
// a majority across oceans. A daemon forwards requests to a daemon of the other store, which carries
// them out by its own rights and on its own revisions.
package federation
