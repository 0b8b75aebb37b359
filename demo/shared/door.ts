// The front page's blocks of code are in its HTML: they only get their copy buttons.

import { addCopyButtons } from "./code.ts";

addCopyButtons();
