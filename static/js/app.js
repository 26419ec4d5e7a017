// The way in. The pages name this file by its content; the modules below are asked for again each time, which is
// cheap (304), because a name with a hash here and one without it in an import would load a module twice.

import "./times.js";
import "./live.js";
import "./list.js";
import "./failures.js";
import "./keys.js";
