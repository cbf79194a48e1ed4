// Package request decodes HTTP requests into structs, strictly. It rejects a request with an
// unknown or repeated parameter, or with a body that is not exactly the JSON of its type.
// The problem names the place of each fault.
//
// A struct declares the request of one route by the tags of its fields:
//
//	path:"game_id"         a variable segment of the path, a string; a game id is validated
//	query:"limit"          a query parameter: a string, bool, int or int64, or a list of
//	                       strings, which may be repeated
//	header:"If-Match"      a header, a string
//	body:"required"        the body, a Body[T]; optional allows an empty one
//
// Further tags of parameters:
//
//	default           the value of an absent parameter
//	enum              the allowed values, separated by commas
//	minimum, maximum  bounds of a number
//	doc               the description in the OpenAPI document
//	hidden            the parameter is not in the OpenAPI document
//	allowEmpty        the query parameter may be empty, and then counts as absent
//	list              the header is a list; its lines are joined
//	field             the domain's name of the parameter, to locate a fault
//	secret            of a member of the body: a fault does not contain its value
//
// Files:
//
//	parameters.go  the declaration, and queries and headers
//	body.go        reading a body within its limits
//	object.go      decoding a JSON object
//	members.go     the members of the JSON object of a struct
package request
