package image

// Action is what a request does: each route has one beside it.
type Action string

// The actions.
const (
	ActionLook     Action = "look"     // see what is stored and what was done
	ActionAsk      Action = "ask"      // have this server ask registries what they have
	ActionDownload Action = "download" // take what is stored out
	ActionPull     Action = "pull"     // bring images in from registries, and cancel that
	ActionUpload   Action = "upload"   // bring images in as an archive
	ActionCheck    Action = "check"    // have registries asked whether tags moved
	ActionPin      Action = "pin"      // pin, and take pins away
	ActionDelete   Action = "delete"   // delete, prune, and undo either
	ActionFree     Action = "free"     // free the disk of what nothing needs
	ActionPrefer   Action = "prefer"   // keep one's own theme and language
	ActionOperate  Action = "operate"  // see how the server does
	ActionTend     Action = "tend"     // what the server does by itself: unpack, sweep, bring older rows up to date
)
