// Package request decodes HTTP requests into structs, strictly: a request with an unknown
// parameter, a repeated one, or a body that is not exactly the JSON of its type is
// rejected, with the place of each fault.
//
// A struct declares the request of one route by the tags of its fields:
//
//	path:"game_id"         the game id of the path, a string
//	query:"limit"          a query parameter: a string, bool, int or int64
//	header:"If-Match"      a header, a string
//	body:"required"        the body, a Body[T]; optional allows an empty one
//
// Further tags of parameters: default is the value of an absent one, enum lists the
// allowed values, minimum and maximum bound a number, doc describes it in the OpenAPI
// document, and hidden keeps it out of that document. list joins the lines of a header
// that is a list. field is the domain's name of a header, for the place of a fault.
//
//	parameters.go  the declaration, and queries and headers
//	body.go        reading a body within its limits
//	object.go      decoding a JSON object
package request
