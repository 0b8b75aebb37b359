// A Vulkan layer that makes a driver's compiler run where its card is not. RADV comes without memory and without commands when
// RADV_FORCE_FAMILY names a chip: whatever needs them is made up here, so that a WebGPU engine gets its device. Shader modules and
// pipelines are the driver's own. $ISA_FOLDER gets driver.json, and a line of pipelines.jsonl for each compute pipeline, in the order in which they
// were finished; with $ISA_TEXT also the driver's statistics in it and the text of the instructions, in <line>.s.
#define VK_NO_PROTOTYPES
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <vulkan/vk_layer.h>
#include <vulkan/vulkan.h>

static VkInstance instance;
static PFN_vkGetInstanceProcAddr nextInstance;
static PFN_vkGetDeviceProcAddr nextDevice;
static PFN_vkCreateComputePipelines nextCreateComputePipelines;
static PFN_vkGetPipelineExecutablePropertiesKHR getProperties;
static PFN_vkGetPipelineExecutableStatisticsKHR getStatistics;
static PFN_vkGetPipelineExecutableInternalRepresentationsKHR getRepresentations;

static const VkDeviceSize ROOM = 1ull << 32;

// What the engine is told instead.

static VKAPI_ATTR VkResult VKAPI_CALL done(void) { return VK_SUCCESS; }
static VKAPI_ATTR void VKAPI_CALL nothing(void) {}

static uint64_t newHandle(void) {
  static uint64_t last = 4096;
  return __atomic_add_fetch(&last, 8, __ATOMIC_RELAXED);
}

// Memory, semaphores, fences and pools are all made with these four arguments.
static VKAPI_ATTR VkResult VKAPI_CALL make(VkDevice d, const void *info, const void *allocator, uint64_t *handle) {
  *handle = newHandle();
  return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL makeSets(VkDevice d, const VkDescriptorSetAllocateInfo *info, uint64_t *sets) {
  for (uint32_t i = 0; i < info->descriptorSetCount; i++) sets[i] = newHandle();
  return VK_SUCCESS;
}

// All memory is mapped to the same place; who writes there never reads it.
static VKAPI_ATTR VkResult VKAPI_CALL map(VkDevice d, VkDeviceMemory m, VkDeviceSize offset, VkDeviceSize size,
                                          VkMemoryMapFlags flags, void **place) {
  static char *all;
  if (!all) all = calloc(1, 1 << 28);
  *place = all;
  return VK_SUCCESS;
}

static VKAPI_ATTR void VKAPI_CALL memory(VkPhysicalDevice d, VkPhysicalDeviceMemoryProperties *p) {
  memset(p, 0, sizeof *p);
  p->memoryTypeCount = p->memoryHeapCount = 1;
  p->memoryTypes[0].propertyFlags = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT | VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
  p->memoryHeaps[0] = (VkMemoryHeap){ROOM, VK_MEMORY_HEAP_DEVICE_LOCAL_BIT};
}

static VKAPI_ATTR void VKAPI_CALL memory2(VkPhysicalDevice d, VkPhysicalDeviceMemoryProperties2 *p) {
  memory(d, &p->memoryProperties);
  for (VkBaseOutStructure *s = p->pNext; s; s = s->pNext) {
    if (s->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT) ((VkPhysicalDeviceMemoryBudgetPropertiesEXT *)s)->heapBudget[0] = ROOM;
  }
}

static VKAPI_ATTR void VKAPI_CALL needed(VkDevice d, uint64_t object, VkMemoryRequirements *r) { *r = (VkMemoryRequirements){1 << 16, 256, 1}; }
static VKAPI_ATTR void VKAPI_CALL needed2(VkDevice d, const void *object, VkMemoryRequirements2 *r) { needed(d, 0, &r->memoryRequirements); }

// Whatever was submitted is finished.
static VKAPI_ATTR VkResult VKAPI_CALL counter(VkDevice d, VkSemaphore s, uint64_t *value) {
  *value = UINT64_MAX >> 2;
  return VK_SUCCESS;
}

// Pipelines.

static FILE *fileOf(const char *name, const char *mode) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", getenv("ISA_FOLDER"), name);
  FILE *file = fopen(path, mode);
  if (!file) perror(path), exit(1);
  return file;
}

static double milliseconds(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static void writeStatistics(FILE *log, VkDevice d, VkPipeline pipeline) {
  VkPipelineInfoKHR info = {VK_STRUCTURE_TYPE_PIPELINE_INFO_KHR, NULL, pipeline};
  VkPipelineExecutablePropertiesKHR properties = {VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_PROPERTIES_KHR};
  uint32_t one = 1, count = 64;
  getProperties(d, &info, &one, &properties);
  VkPipelineExecutableInfoKHR executable = {VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR, NULL, pipeline, 0};
  VkPipelineExecutableStatisticKHR s[64];
  for (int i = 0; i < 64; i++) s[i] = (VkPipelineExecutableStatisticKHR){VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_STATISTIC_KHR};
  getStatistics(d, &executable, &count, s);
  fprintf(log, ",\"subgroupSize\":%u", properties.subgroupSize);
  for (uint32_t i = 0; i < count; i++) {
    if (s[i].format == VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_UINT64_KHR) fprintf(log, ",\"%s\":%llu", s[i].name, (unsigned long long)s[i].value.u64);
  }
}

static void writeText(int line, VkDevice d, VkPipeline pipeline) {
  VkPipelineExecutableInfoKHR executable = {VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR, NULL, pipeline, 0};
  VkPipelineExecutableInternalRepresentationKHR r[16];
  uint32_t count = 16;
  for (int i = 0; i < 16; i++) r[i] = (VkPipelineExecutableInternalRepresentationKHR){VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INTERNAL_REPRESENTATION_KHR};
  getRepresentations(d, &executable, &count, r);
  for (uint32_t i = 0; i < count; i++) r[i].pData = malloc(r[i].dataSize + 1);
  getRepresentations(d, &executable, &count, r);
  char name[32];
  snprintf(name, sizeof name, "%d.s", line);
  FILE *file = fileOf(name, "w");
  // The last one is what the card runs.
  if (count) fputs(r[count - 1].pData, file);
  fclose(file);
  for (uint32_t i = 0; i < count; i++) free(r[i].pData);
}

static void note(VkDevice d, VkPipeline pipeline, double ms, double cpuMs) {
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  static int line;
  pthread_mutex_lock(&lock);
  FILE *log = fileOf("pipelines.jsonl", line == 0 ? "w" : "a");
  fprintf(log, "{\"ms\":%.2f,\"cpuMs\":%.2f", ms, cpuMs);
  if (getStatistics) writeStatistics(log, d, pipeline), writeText(line, d, pipeline);
  fprintf(log, "}\n");
  fclose(log);
  line++;
  pthread_mutex_unlock(&lock);
}

static VKAPI_ATTR VkResult VKAPI_CALL createComputePipelines(VkDevice d, VkPipelineCache cache, uint32_t count, const VkComputePipelineCreateInfo *infos,
                                                             const VkAllocationCallbacks *allocator, VkPipeline *pipelines) {
  for (uint32_t i = 0; i < count; i++) {
    VkComputePipelineCreateInfo info = infos[i];
    if (getStatistics) info.flags |= VK_PIPELINE_CREATE_CAPTURE_STATISTICS_BIT_KHR | VK_PIPELINE_CREATE_CAPTURE_INTERNAL_REPRESENTATIONS_BIT_KHR;
    double ms = milliseconds(CLOCK_MONOTONIC), cpuMs = milliseconds(CLOCK_THREAD_CPUTIME_ID);
    VkResult result = nextCreateComputePipelines(d, cache, 1, &info, allocator, &pipelines[i]);
    if (result) return result;
    note(d, pipelines[i], milliseconds(CLOCK_MONOTONIC) - ms, milliseconds(CLOCK_THREAD_CPUTIME_ID) - cpuMs);
  }
  return VK_SUCCESS;
}

static void noteDriver(VkPhysicalDevice card) {
  VkPhysicalDeviceProperties p;
  ((PFN_vkGetPhysicalDeviceProperties)nextInstance(instance, "vkGetPhysicalDeviceProperties"))(card, &p);
  FILE *file = fileOf("driver.json", "w");
  fprintf(file, "{\"card\":\"%s\",\"major\":%u,\"minor\":%u,\"patch\":%u}\n", p.deviceName, VK_API_VERSION_MAJOR(p.driverVersion), VK_API_VERSION_MINOR(p.driverVersion), VK_API_VERSION_PATCH(p.driverVersion));
  fclose(file);
}

// The chain of layers.

static VKAPI_ATTR VkResult VKAPI_CALL createDevice(VkPhysicalDevice card, const VkDeviceCreateInfo *given, const VkAllocationCallbacks *allocator, VkDevice *device) {
  VkLayerDeviceCreateInfo *link = (void *)given->pNext;
  while (link->sType != VK_STRUCTURE_TYPE_LOADER_DEVICE_CREATE_INFO || link->function != VK_LAYER_LINK_INFO) link = (void *)link->pNext;
  nextDevice = link->u.pLayerInfo->pfnNextGetDeviceProcAddr;
  PFN_vkCreateDevice create = (void *)link->u.pLayerInfo->pfnNextGetInstanceProcAddr(instance, "vkCreateDevice");
  link->u.pLayerInfo = link->u.pLayerInfo->pNext;

  VkDeviceCreateInfo info = *given;
  VkPhysicalDevicePipelineExecutablePropertiesFeaturesKHR feature = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_EXECUTABLE_PROPERTIES_FEATURES_KHR, (void *)given->pNext, VK_TRUE};
  const char **names = malloc((given->enabledExtensionCount + 1) * sizeof *names);
  memcpy(names, given->ppEnabledExtensionNames, given->enabledExtensionCount * sizeof *names);
  names[info.enabledExtensionCount++] = VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME;
  info.ppEnabledExtensionNames = names;
  info.pNext = &feature;
  VkResult result = create(card, getenv("ISA_TEXT") ? &info : given, allocator, device);
  free(names);
  if (result) return result;

  noteDriver(card);
  nextCreateComputePipelines = (void *)nextDevice(*device, "vkCreateComputePipelines");
  if (getenv("ISA_TEXT")) {
    getProperties = (void *)nextDevice(*device, "vkGetPipelineExecutablePropertiesKHR");
    getStatistics = (void *)nextDevice(*device, "vkGetPipelineExecutableStatisticsKHR");
    getRepresentations = (void *)nextDevice(*device, "vkGetPipelineExecutableInternalRepresentationsKHR");
  }
  return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL createInstance(const VkInstanceCreateInfo *info, const VkAllocationCallbacks *allocator, VkInstance *made) {
  VkLayerInstanceCreateInfo *link = (void *)info->pNext;
  while (link->sType != VK_STRUCTURE_TYPE_LOADER_INSTANCE_CREATE_INFO || link->function != VK_LAYER_LINK_INFO) link = (void *)link->pNext;
  nextInstance = link->u.pLayerInfo->pfnNextGetInstanceProcAddr;
  link->u.pLayerInfo = link->u.pLayerInfo->pNext;
  PFN_vkCreateInstance create = (void *)nextInstance(NULL, "vkCreateInstance");
  VkResult result = create(info, allocator, made);
  instance = *made;
  return result;
}

static const struct { const char *name; PFN_vkVoidFunction function; } replaced[] = {
#define AS(function) (PFN_vkVoidFunction)(function)
  {"vkCreateInstance", AS(createInstance)}, {"vkCreateDevice", AS(createDevice)}, {"vkCreateComputePipelines", AS(createComputePipelines)},
  {"vkAllocateMemory", AS(make)}, {"vkCreateSemaphore", AS(make)}, {"vkCreateFence", AS(make)}, {"vkCreateDescriptorPool", AS(make)},
  {"vkAllocateDescriptorSets", AS(makeSets)}, {"vkMapMemory", AS(map)}, {"vkGetSemaphoreCounterValue", AS(counter)},
  {"vkGetPhysicalDeviceMemoryProperties", AS(memory)}, {"vkGetPhysicalDeviceMemoryProperties2", AS(memory2)},
  {"vkGetBufferMemoryRequirements", AS(needed)}, {"vkGetBufferMemoryRequirements2", AS(needed2)},
  {"vkFreeMemory", AS(nothing)}, {"vkUnmapMemory", AS(nothing)}, {"vkDestroySemaphore", AS(nothing)}, {"vkDestroyFence", AS(nothing)},
  {"vkDestroyDescriptorPool", AS(nothing)}, {"vkUpdateDescriptorSets", AS(nothing)},
  {"vkBindBufferMemory", AS(done)}, {"vkBindBufferMemory2", AS(done)}, {"vkFlushMappedMemoryRanges", AS(done)}, {"vkInvalidateMappedMemoryRanges", AS(done)},
  {"vkFreeDescriptorSets", AS(done)}, {"vkResetDescriptorPool", AS(done)}, {"vkBeginCommandBuffer", AS(done)}, {"vkEndCommandBuffer", AS(done)},
  {"vkResetCommandPool", AS(done)}, {"vkResetCommandBuffer", AS(done)}, {"vkQueueSubmit", AS(done)}, {"vkQueueSubmit2", AS(done)},
  {"vkQueueWaitIdle", AS(done)}, {"vkDeviceWaitIdle", AS(done)}, {"vkWaitSemaphores", AS(done)}, {"vkSignalSemaphore", AS(done)},
  {"vkGetFenceStatus", AS(done)}, {"vkWaitForFences", AS(done)}, {"vkResetFences", AS(done)},
};

// A function of an extension that became part of Vulkan is the same one with KHR behind its name.
static PFN_vkVoidFunction replacementFor(const char *name) {
  if (!strncmp(name, "vkCmd", 5)) return nothing;
  size_t length = strlen(name);
  if (length > 3 && !strcmp(name + length - 3, "KHR")) length -= 3;
  for (size_t i = 0; i < sizeof replaced / sizeof *replaced; i++) {
    if (strlen(replaced[i].name) == length && !strncmp(replaced[i].name, name, length)) return replaced[i].function;
  }
  return NULL;
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL deviceFunction(VkDevice d, const char *name) {
  if (!strcmp(name, "vkGetDeviceProcAddr")) return (PFN_vkVoidFunction)deviceFunction;
  PFN_vkVoidFunction next = nextDevice ? nextDevice(d, name) : NULL, mine = replacementFor(name);
  return next && mine ? mine : next;
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL instanceFunction(VkInstance i, const char *name) {
  if (!strcmp(name, "vkGetInstanceProcAddr")) return (PFN_vkVoidFunction)instanceFunction;
  if (!strcmp(name, "vkGetDeviceProcAddr")) return (PFN_vkVoidFunction)deviceFunction;
  PFN_vkVoidFunction mine = replacementFor(name);
  return mine ? mine : nextInstance ? nextInstance(i, name) : NULL;
}

VKAPI_ATTR VkResult VKAPI_CALL vkNegotiateLoaderLayerInterfaceVersion(VkNegotiateLayerInterface *version) {
  version->loaderLayerInterfaceVersion = 2;
  version->pfnGetInstanceProcAddr = instanceFunction;
  version->pfnGetDeviceProcAddr = deviceFunction;
  version->pfnGetPhysicalDeviceProcAddr = NULL;
  return VK_SUCCESS;
}
